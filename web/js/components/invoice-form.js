"use strict"

/**
 * Making an invoice: one client's ready trips to choose from, what they come to, and to whom it goes. It is redrawn only for another client, so a
 * refusal leaves everything as it was typed and chosen.
 */
const InvoiceForm = (() => {
  const { el, icon, fill, byId } = Dom
  const { money, dayOf, percent, cents, tax } = InvoiceWords
  const MOST = 500

  let asked = 0
  let page = { onClose: () => {}, onCreated: (_id, _message) => {}, onMarked: (_message) => {} }

  function init(options) {
    page = options
  }

  /** @param {string} clientId @param {{focus?: boolean}} [options] */
  async function show(clientId, { focus = true } = {}) {
    asked += 1
    const mine = asked
    const card = byId("sideCard")
    card.hidden = false
    fill(card, head(null), el("p", { class: "loading", role: "status" }, "Loading the trips…"))
    if (focus) card.focus()
    try {
      const trips = await APIClient.get(`/get-finance-appointments?${new URLSearchParams({ client: clientId, limit: String(MOST) })}`)
      if (mine !== asked) return
      draw(card, trips)
    } catch (error) {
      if (mine !== asked) return
      const again = el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: () => show(clientId) }, "Try again")
      fill(card, head(null), Dom.problem(error, again))
    }
  }

  function hide() {
    asked += 1
  }

  // ── Drawing ──

  function head(trip) {
    const close = el("button", { type: "button", class: "btn btn-sm btn-quiet", onclick: () => page.onClose() }, icon("x-lg"), "Close")
    const title = trip
      ? [el("h2", {}, `New invoice: ${trip.client_name}`), el("p", {}, el("span", { class: "k-number" }, trip.knumber))]
      : el("h2", {}, "New invoice")
    return el("header", { class: "client-head" }, el("div", {}, title), close)
  }

  function draw(card, answer) {
    const trips = answer.appointments
    if (trips.length === 0) {
      fill(card, head(null), el("p", { class: "quiet" }, "This client has no trips that are ready for an invoice."))
      return
    }
    const [first] = trips
    const costs = new Map(trips.map((trip) => [trip.id, trip.custom_rate ?? answer.default_rate]))
    const sums = el("dl", { class: "sums", "aria-live": "polite" })
    const choices = el("ul", { class: "trip-choices" }, trips.map((trip) => choice(trip, answer.default_rate)))
    const form = /** @type {HTMLFormElement} */ (
      el(
        "form",
        { class: "invoice-form", novalidate: true },
        el("div", { class: "form-problems" }),
        el("fieldset", {}, el("legend", { class: "choices-head" }, "Trips", all(choices)), choices),
        sums,
        el(
          "div",
          { class: "form-grid" },
          field("invoiceDate", "Invoice date", el("input", { type: "date", class: "form-control", value: dayOf(), required: true }), "half"),
          field("notes", ["Notes ", el("span", { class: "quiet" }, "(optional)")], el("textarea", { class: "form-control", rows: 2, maxlength: 2000 }), "full"),
          byMail(first.client_email),
        ),
        el(
          "div",
          { class: "client-acts" },
          el("button", { type: "submit", class: "btn btn-primary", id: "createInvoiceBtn" }, icon("receipt"), el("span", {}, "Create invoice")),
          el("button", { type: "button", class: "btn btn-quiet", onclick: (event) => takeBack(form, event.currentTarget) }, "Not ready after all"),
        ),
      )
    )
    const add = () => showSums(sums, form, costs, answer.tax_rate)
    choices.addEventListener("change", add)
    form.addEventListener("invoice:chosen", add)
    FormSending.init(form, {
      check: () => ({ ...FormFaults.check(form), ...noneChosen(form) }),
      read: () => read(form, first.knumber),
      send: (body, once) => APIClient.post("/create-invoice", body, once),
      done: (made) => page.onCreated(made.invoice_id, made.message),
      busy: "Creating…",
    })
    fill(card, head(first), form)
    add()
  }

  function choice(trip, usual) {
    const priceless = (trip.custom_rate ?? usual) === null
    const id = `trip-${trip.id}`
    const box = el("input", { type: "checkbox", id, value: trip.id, checked: !priceless, disabled: priceless, class: "choose" })
    return el(
      "li",
      {},
      el(
        "label",
        { for: id },
        box,
        el(
          "span",
          {},
          el("span", { class: "choice-when" }, Format.dateTime(trip.appointmenttime)),
          el("span", { class: "quiet small" }, [trip.locationname, trip.driver_name].filter(Boolean).join(" · ")),
        ),
      ),
      el("span", { class: "number" }, MarkingList.rate(trip, usual)),
    )
  }

  function all(choices) {
    const button = el("button", { type: "button", class: "text-button", onclick: turn }, "All or none")
    function turn() {
      const boxes = [...choices.querySelectorAll("input:not(:disabled)")]
      const on = !boxes.every((box) => box.checked)
      for (const box of boxes) box.checked = on
      button.dispatchEvent(new Event("invoice:chosen", { bubbles: true }))
    }
    return button
  }

  function showSums(sums, form, costs, rate) {
    const subtotal = chosen(form).reduce((sum, id) => sum + cents(costs.get(id)), 0)
    const added = tax(subtotal, rate)
    const rows = [
      ["Subtotal", subtotal],
      [`Tax (${percent(rate)})`, added],
      ["Total", subtotal + added],
    ]
    fill(sums, rows.map(([label, amount]) => el("div", {}, el("dt", {}, label), el("dd", { class: "number" }, money(Number(amount) / 100)))))
  }

  function field(name, label, input, width) {
    const id = `new-${name}`
    input.id = id
    input.setAttribute("name", name)
    input.setAttribute("data-label", typeof label === "string" ? label : String(label[0]).trim())
    return el("div", { class: `field ${width}` }, el("label", { for: id }, label), input)
  }

  function byMail(known) {
    const to = /** @type {HTMLInputElement} */ (
      el("input", { type: "email", class: "form-control", value: known ?? "", "data-fault": "E-mail must look like name@example.ca", autocomplete: "off" })
    )
    const box = /** @type {HTMLInputElement} */ (el("input", { type: "checkbox", id: "sendByMail" }))
    const place = field("emailTo", "E-mail", to, "full")
    const show = () => {
      place.hidden = !box.checked
      to.disabled = !box.checked
      to.required = box.checked
    }
    box.addEventListener("change", () => {
      show()
      if (box.checked && !to.value) to.focus()
    })
    show()
    return [el("label", { class: "tick full", for: "sendByMail" }, box, "Send it by e-mail as soon as it is made"), place]
  }

  function chosen(form) {
    return [...form.querySelectorAll(".trip-choices input:checked")].map((box) => box.value)
  }

  // ── Doing ──

  function noneChosen(form) {
    return chosen(form).length === 0 ? { appointmentIds: "No trip is chosen" } : {}
  }

  function read(form, knumber) {
    const value = (name) => form.elements.namedItem(name).value.trim()
    const emailTo = byId("sendByMail").checked ? value("emailTo") : null
    return { knumber, appointmentIds: chosen(form), invoiceDate: value("invoiceDate"), notes: value("notes"), emailTo }
  }

  async function takeBack(form, button) {
    if (button.getAttribute("aria-disabled") === "true") return
    const ids = chosen(form)
    if (ids.length === 0) return FormFaults.show(form, { appointmentIds: "No trip is chosen" })
    FormFaults.clear(form)
    button.setAttribute("aria-disabled", "true")
    try {
      const answer = await APIClient.post("/mark-appointment-ready", { appointmentIds: ids, ready: false })
      page.onMarked(answer.message)
    } catch (error) {
      FormFaults.show(form, { ...error.fields }, error)
    } finally {
      button.removeAttribute("aria-disabled")
    }
  }

  return Object.freeze({ init, show, hide })
})()
