"use strict"

/**
 * Completed trips that are not ready for an invoice yet: looked through, chosen, and marked ready together.
 */
const UnreadyList = (() => {
  const { el, icon, fill, byId } = Dom
  const { money } = InvoiceWords

  /** @param {{query: () => string, onMarked: (message: string) => void}} page */
  function make({ query, onMarked }) {
    /** @type {Set<string>} */
    const chosen = new Set()
    const list = new PageList({
      what: "the completed trips",
      path: () => `/get-finance-appointments?${new URLSearchParams({ invoice_status: "not_ready", ...(query() && { q: query() }) })}`,
      rowsOf: (answer) => answer.appointments,
      draw,
      empty,
    })
    const mark = el("button", { type: "button", class: "btn btn-sm btn-primary", onclick: save }, icon("check-lg"), el("span", {}))
    const problems = el("div", {})

    function draw() {
      const { rows, answer } = list
      for (const id of chosen) if (!rows.some((row) => row.id === id)) chosen.delete(id)
      fill(byId("list"), rows.length > 0 && table(rows, answer.default_rate))
      byId("listCount").textContent = rows.length > 0 ? `${Format.count(answer.count, "completed trip")} not ready yet` : ""
      byId("listActs").hidden = rows.length === 0
      if (!byId("listActs").contains(mark)) fill(byId("listActs"), mark, problems)
      say()
    }

    function say() {
      const { rows } = list
      mark.lastElementChild.textContent = chosen.size > 0 ? `Mark ${Format.count(chosen.size, "trip")} ready` : "Mark ready"
      mark.setAttribute("aria-disabled", String(chosen.size === 0))
      const all = /** @type {HTMLInputElement|null} */ (document.getElementById("chooseAll"))
      if (!all) return
      all.checked = chosen.size === rows.length
      all.indeterminate = chosen.size > 0 && chosen.size < rows.length
    }

    function table(rows, usual) {
      return el(
        "table",
        { class: "client-table invoice-table unready-table", role: "table", "aria-labelledby": "invoicesTitle" },
        el(
          "thead",
          { role: "rowgroup" },
          el(
            "tr",
            { role: "row" },
            el("th", { role: "columnheader", scope: "col" }, tick("chooseAll", "Choose all trips listed", chooseAll)),
            InvoiceWords.heads("Client", "Appointment", "Where to", "Driver", "#Rate"),
          ),
        ),
        el("tbody", { role: "rowgroup" }, rows.map((trip) => row(trip, usual))),
      )
    }

    function row(trip, usual) {
      const who = trip.client_name
      const when = Format.dateTime(trip.appointmenttime)
      const box = tick(`choose-${trip.id}`, `${who}, ${when}`, (on) => (on ? chosen.add(trip.id) : chosen.delete(trip.id)))
      box.checked = chosen.has(trip.id)
      return el(
        "tr",
        { role: "row", "data-trip-id": trip.id },
        el("td", { role: "cell" }, box),
        el("th", { role: "rowheader", scope: "row" }, el("span", { class: "client-name" }, who), el("span", { class: "k-number" }, trip.knumber)),
        el("td", { role: "cell", class: "day right first" }, when),
        el("td", { role: "cell" }, trip.locationname ?? Format.UNKNOWN),
        el("td", { role: "cell" }, trip.driver_name ?? Format.UNKNOWN),
        el("td", { role: "cell", class: "number right second" }, rate(trip, usual)),
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

    async function save() {
      if (mark.getAttribute("aria-disabled") === "true") return
      mark.setAttribute("aria-disabled", "true")
      fill(problems)
      try {
        const answer = await APIClient.post("/mark-appointment-ready", { appointmentIds: [...chosen] })
        chosen.clear()
        onMarked(answer.message)
      } catch (error) {
        fill(problems, Dom.problem(error))
        say()
      }
    }

    function empty() {
      const q = query()
      return el(
        "div",
        { class: "empty" },
        icon(q ? "search" : "check2-circle"),
        el("p", {}, q ? `No completed trip matches “${q}”` : "Every completed trip is ready for an invoice, or on one"),
      )
    }

    return list
  }

  /** What a trip costs, or a way to say it. @param {any} trip @param {string|null} usual the office's own rate */
  function rate(trip, usual) {
    const own = trip.custom_rate ?? usual
    if (own !== null) return [money(own), trip.custom_rate === null && el("span", { class: "small quiet" }, " usual")]
    return el("a", { class: "no-rate", href: `appointments.html?id=${encodeURIComponent(trip.id)}` }, icon("exclamation-circle"), "No rate: enter one")
  }

  return Object.freeze({ make, rate })
})()
