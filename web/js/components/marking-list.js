"use strict"

/**
 * Completed trips to be looked through, chosen, and marked together: those that are not ready for an invoice yet, and those for which driver or
 * booking agent is still to be paid.
 */
const MarkingList = (() => {
  const { el, icon, fill, byId } = Dom
  const { money, brief, dayOf } = InvoiceWords

  /** What the two lists differ in. acts: [verb, what its button says]. */
  const KINDS = Object.freeze({
    unready: {
      asks: { invoice_status: "not_ready" },
      counted: (count) => `${Format.count(count, "completed trip")} not ready yet`,
      heads: ["Client", "Appointment", "Where to", "Driver", "#Rate"],
      cells: (trip, usual) => [trip.locationname ?? Format.UNKNOWN, trip.driver_name ?? Format.UNKNOWN, rate(trip, usual)],
      acts: [["mark-appointment-ready", "Mark ready"]],
      nothing: "Every completed trip is ready for an invoice, or on one",
    },
    unpaid: {
      asks: { unpaid: "true" },
      counted: (count) => `${Format.count(count, "completed trip")} not paid out yet`,
      heads: ["Client", "Appointment", "Driver", "Booked by", "#Rate"],
      cells: (trip, usual) => [
        paid(trip.driver_name, trip.driver_paid_at),
        paid(trip.managed_by_name, trip.booking_agent_paid_at),
        rate(trip, usual),
      ],
      acts: [
        ["mark-driver-paid", "Mark driver paid"],
        ["mark-agent-paid", "Mark booking agent paid"],
      ],
      nothing: "Everybody is paid for every completed trip",
    },
  })

  /** @param {"unready"|"unpaid"} name @param {{query: () => string, onMarked: (message: string) => void}} page */
  function make(name, { query, onMarked }) {
    const kind = KINDS[name]
    /** @type {Set<string>} */
    const chosen = new Set()
    const list = new PageList({
      what: "the completed trips",
      path: () => `/get-finance-appointments?${new URLSearchParams({ ...kind.asks, ...(query() && { q: query() }) })}`,
      rowsOf: (answer) => answer.appointments,
      draw,
      empty,
    })
    const buttons = kind.acts.map(([verb, words], place) => {
      const button = el("button", { type: "button", class: `btn btn-sm ${place ? "btn-soft" : "btn-primary"}` }, icon("check-lg"), el("span", {}))
      button.addEventListener("click", () => save(verb, button))
      return { button, words }
    })
    const problems = el("div", {})
    const acts = el("div", { class: "user-acts" }, buttons.map(({ button }) => button))

    function draw() {
      const { rows, answer } = list
      for (const id of chosen) if (!rows.some((row) => row.id === id)) chosen.delete(id)
      fill(byId("list"), rows.length > 0 && table(rows, answer.default_rate))
      byId("listCount").textContent = rows.length > 0 ? kind.counted(answer.count) : ""
      byId("listActs").hidden = rows.length === 0
      if (!byId("listActs").contains(acts)) fill(byId("listActs"), acts, problems)
      say()
    }

    function say() {
      const { rows } = list
      for (const { button, words } of buttons) {
        button.lastElementChild.textContent = chosen.size > 0 ? `${words}: ${Format.count(chosen.size, "trip")}` : words
        button.setAttribute("aria-disabled", String(chosen.size === 0))
      }
      const all = /** @type {HTMLInputElement|null} */ (document.getElementById("chooseAll"))
      if (!all) return
      all.checked = chosen.size === rows.length
      all.indeterminate = chosen.size > 0 && chosen.size < rows.length
    }

    function table(rows, usual) {
      return el(
        "table",
        { class: "client-table invoice-table trip-table", role: "table", "aria-labelledby": "invoicesTitle" },
        el(
          "thead",
          { role: "rowgroup" },
          el(
            "tr",
            { role: "row" },
            el("th", { role: "columnheader", scope: "col" }, tick("chooseAll", "Choose all trips listed", chooseAll)),
            InvoiceWords.heads(...kind.heads),
          ),
        ),
        el("tbody", { role: "rowgroup" }, rows.map((trip) => row(trip, usual))),
      )
    }

    function row(trip, usual) {
      const who = trip.client_name ?? trip.event_name
      const when = Format.dateTime(trip.appointmenttime)
      const box = tick(`choose-${trip.id}`, `${who}, ${when}`, (on) => (on ? chosen.add(trip.id) : chosen.delete(trip.id)))
      box.checked = chosen.has(trip.id)
      const [first, second, amount] = kind.cells(trip, usual)
      return el(
        "tr",
        { role: "row", "data-trip-id": trip.id },
        el("td", { role: "cell" }, box),
        el("th", { role: "rowheader", scope: "row" }, el("span", { class: "client-name" }, who), el("span", { class: "k-number" }, trip.knumber)),
        el("td", { role: "cell", class: "day right first" }, when),
        el("td", { role: "cell" }, first),
        el("td", { role: "cell" }, second),
        el("td", { role: "cell", class: "number right second" }, amount),
      )
    }

    function tick(id, label, onchange) {
      const box = /** @type {HTMLInputElement} */ (
        el("input", { type: "checkbox", id, "aria-label": label, class: "choose", "data-focus": id })
      )
      box.addEventListener("change", () => {
        onchange(box.checked)
        say()
      })
      return box
    }

    function chooseAll(on) {
      for (const box of byId("list").querySelectorAll("tbody .choose")) {
        box.checked = on
        const id = box.closest("tr").dataset.tripId
        if (on) chosen.add(id)
        else chosen.delete(id)
      }
    }

    async function save(verb, button) {
      if (button.getAttribute("aria-disabled") === "true") return
      button.setAttribute("aria-disabled", "true")
      fill(problems)
      try {
        const answer = await APIClient.post(`/${verb}`, { appointmentIds: [...chosen] })
        chosen.clear()
        onMarked(answer.message)
      } catch (error) {
        fill(problems, Dom.problem(error))
        say()
      }
    }

    function empty() {
      const q = query()
      return el("div", { class: "empty" }, icon(q ? "search" : "check2-circle"), el("p", {}, q ? `No completed trip matches “${q}”` : kind.nothing))
    }

    return list
  }

  /** What a trip costs, or a way to say it. @param {any} trip @param {string|null} usual the office's own rate */
  function rate(trip, usual) {
    const own = trip.custom_rate ?? usual
    if (own !== null) return [money(own), trip.custom_rate === null && el("span", { class: "small quiet" }, " usual")]
    return el("a", { class: "no-rate", href: `appointments.html?id=${encodeURIComponent(trip.id)}` }, icon("exclamation-circle"), "No rate: enter one")
  }

  function paid(name, at) {
    if (!name) return el("span", { class: "quiet" }, Format.UNKNOWN)
    return [name, el("span", { class: "k-number" }, at ? ` paid ${brief(dayOf(at))}` : " not paid")]
  }

  return Object.freeze({ make, rate })
})()
