"use strict"

/**
 * Why a trip is cancelled: the reason is kept, and the driver is told with it. It stays open until that is done; a refusal keeps what was typed.
 */
const CancelDialog = (() => {
  const { el } = Dom

  /**
   * @param {any} trip @param {readonly string[]} reasons to choose from; any other may be typed
   * @returns {Promise<any>} the server's answer; null when it was not done
   */
  function ask(trip, reasons) {
    return new Promise((resolve) => {
      /** @type {any} */
      let answer = null
      const heading = el("h2", { id: Dom.uid("cancel") }, "Cancel this trip?")
      const id = Dom.uid("reason")
      const input = /** @type {HTMLInputElement} */ (
        el("input", { id, name: "cancellation_reason", class: "form-control", maxlength: 500, required: true, autocomplete: "off", "data-label": "Cancellation reason" })
      )
      const form = /** @type {HTMLFormElement} */ (
        el(
          "form",
          { novalidate: true },
          el("header", { class: "dialog-head" }, heading),
          el(
            "div",
            { class: "dialog-body" },
            el("div", { class: "form-problems" }),
            el("p", {}, `${TripWords.who(trip)}, ${Format.dateTime(trip.appointmenttime)}, driven by ${trip.driver_name}.`),
            el("p", {}, `${told(trip)} The calendar keeps it, marked as cancelled.`),
            el("div", { class: "field" }, el("label", { for: id }, "Reason"), input),
            el("div", { class: "chips", role: "group", "aria-label": "Usual reasons" }, reasons.map((text) => suggestion(text, input))),
          ),
          el(
            "footer",
            { class: "dialog-foot" },
            el("button", { type: "button", class: "btn btn-quiet", "data-close": true }, "Keep the trip"),
            el("button", { type: "submit", class: "btn btn-danger" }, el("span", {}, "Cancel the trip")),
          ),
        )
      )
      const dialog = /** @type {HTMLDialogElement} */ (el("dialog", { class: "form-dialog proof-dialog", "aria-labelledby": heading.id }, form))

      FormSending.init(form, {
        read: () => ({ id: trip.id, cancellation_reason: input.value.trim() }),
        send: (body, once) => APIClient.post("/cancel-appointment", body, once),
        done: (done) => {
          answer = done
          dialog.close()
        },
        busy: "One moment…",
      })
      dialog.addEventListener("close", () => {
        dialog.remove()
        resolve(answer)
      })
      document.querySelector("main").append(dialog)
      dialog.showModal()
      input.focus()
    })
  }

  function told(trip) {
    const whom = trip.client_id && trip.appointment_type !== "support" ? "Client and driver are" : "The driver is"
    return `${whom} told by text, unless the office has turned texts off.`
  }

  function suggestion(text, input) {
    const choose = () => {
      input.value = text
      input.focus()
    }
    return el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: choose }, text)
  }

  return Object.freeze({ ask })
})()
