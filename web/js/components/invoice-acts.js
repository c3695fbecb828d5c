"use strict"

/**
 * What can be done with an invoice: download its PDF, send it by e-mail, mark it sent or paid, void it.
 */
const InvoiceActs = (() => {
  const { el, icon, fill } = Dom
  const { dayOf, spoken, money } = InvoiceWords

  /**
   * @param {any} invoice
   * @param {any} around what the card knows besides: the client's e-mail address, when the PDF was made
   * @param {{refused: (error: any) => void, done: (message: string) => void}} page
   */
  function buttons(invoice, around, { refused, done }) {
    const { invoice_status: state } = invoice
    const open = state === "created" || state === "sent"
    return [
      around.document_made_at
        ? button("pdf", "file-earmark-pdf", state === "void" ? "Download void PDF" : "Download PDF", "btn-soft", () => download(invoice), refused)
        : el("p", { class: "quiet with-icon" }, icon("hourglass-split"), "The PDF is being made"),
      around.original_made_at && button("original", "file-earmark-pdf", "PDF from before", "btn-quiet", () => download(invoice, "&original=true"), refused),
      state !== "void" && button("send", "send", state === "created" ? "Send by e-mail" : "Send again", state === "created" ? "btn-primary" : "btn-quiet", () => send(invoice, around, done), refused),
      state === "created" && button("sent", "check-lg", "Mark sent", "btn-quiet", () => mark(invoice, "sent", done), refused),
      open && button("paid", "cash-coin", "Mark paid", state === "sent" ? "btn-primary" : "btn-quiet", () => mark(invoice, "paid", done), refused),
      open && button("void", "x-circle", "Void", "btn-quiet", () => voidIt(invoice, done), refused),
    ]
  }

  function button(name, look, label, kind, act, refused) {
    return el(
      "button",
      {
        type: "button",
        class: `btn btn-sm ${kind}`,
        "data-focus": name,
        onclick: async ({ currentTarget }) => {
          if (currentTarget.getAttribute("aria-disabled") === "true") return
          currentTarget.setAttribute("aria-disabled", "true")
          try {
            await act()
          } catch (error) {
            refused(error)
          } finally {
            currentTarget.removeAttribute("aria-disabled")
          }
        },
      },
      icon(look),
      label,
    )
  }

  async function download(invoice, which = "") {
    Dom.save(await APIClient.download(`/get-invoice-pdf?id=${encodeURIComponent(invoice.id)}${which}`))
  }

  function send(invoice, around, done) {
    const to = el("input", {
      type: "email",
      class: "form-control",
      name: "emailTo",
      value: invoice.mail_to ?? around.client_email ?? "",
      required: true,
      "data-label": "E-mail",
      "data-fault": "E-mail must look like name@example.ca",
      autocomplete: "off",
    })
    const again = invoice.invoice_sent_at && `It was sent ${Format.dateTime(invoice.invoice_sent_at)}.`
    return ask({
      title: `Send ${invoice.invoice_number}`,
      says: [`The PDF goes to this address. ${again ?? "It counts as sent once the mail server has taken it on."}`],
      action: "Send by e-mail",
      fields: [["E-mail", to]],
      path: "/send-invoice",
      read: (value) => ({ id: invoice.id, emailTo: value("emailTo") }),
      done,
    })
  }

  function mark(invoice, status, done) {
    const on = el("input", { type: "date", class: "form-control", name: "at", value: dayOf(), max: dayOf(), required: true, "data-label": "Date", "data-fault": "Date must be today or earlier" })
    return ask({
      title: `Mark ${invoice.invoice_number} ${status}`,
      says: status === "paid" ? [`${money(invoice.invoice_total)} of ${invoice.bill_to_name}. A paid invoice cannot be voided.`] : ["By post or by hand: no e-mail is sent."],
      action: `Mark ${status}`,
      fields: [[status === "paid" ? "Paid on" : "Sent on", on]],
      path: "/update-invoice-status-v2",
      // Noon at the office is on that day in every zone; today is now.
      read: (value) => ({ invoiceId: invoice.id, status, ...(value("at") !== dayOf() && { at: `${value("at")} 12:00` }) }),
      done,
    })
  }

  async function voidIt(invoice, done) {
    const answer = await ConfirmDialog.ask({
      title: `Void ${invoice.invoice_number}?`,
      says: [
        `${money(invoice.invoice_total)} of ${spoken(invoice.invoice_date)} for ${invoice.bill_to_name} is then asked for no more. It keeps its number.`,
        "Its trips are ready for another invoice. This cannot be taken back.",
      ],
      action: "Void it",
      danger: true,
      act: () => APIClient.post("/void-invoice", { invoiceId: invoice.id }),
    })
    if (answer) done(answer.message)
  }

  /** A small form in a dialog; it stays open, as it was filled in, until the server has taken it. */
  function ask({ title, says, action, fields, path, read, done }) {
    const heading = el("h2", { id: Dom.uid("ask") }, title)
    const form = /** @type {HTMLFormElement} */ (
      el(
        "form",
        { novalidate: true },
        el("header", { class: "dialog-head" }, heading),
        el(
          "div",
          { class: "dialog-body" },
          el("div", { class: "form-problems" }),
          says.map((one) => el("p", {}, one)),
          fields.map(([text, input]) => {
            input.id = Dom.uid("ask-field")
            return el("div", { class: "field" }, el("label", { for: input.id }, text), input)
          }),
        ),
        el(
          "footer",
          { class: "dialog-foot" },
          el("button", { type: "button", class: "btn btn-quiet", "data-close": true }, "Cancel"),
          el("button", { type: "submit", class: "btn btn-primary" }, el("span", {}, action)),
        ),
      )
    )
    const dialog = /** @type {HTMLDialogElement} */ (el("dialog", { class: "form-dialog proof-dialog", "aria-labelledby": heading.id }, form))
    FormSending.init(form, {
      read: () => read((name) => form.elements.namedItem(name).value.trim()),
      send: (body, once) => APIClient.post(path, body, once),
      done: (answer) => {
        dialog.close()
        done(answer.message)
      },
      busy: "One moment…",
    })
    dialog.addEventListener("close", () => dialog.remove())
    document.querySelector("main").append(dialog)
    dialog.showModal()
    form.querySelector("input").focus()
  }

  return Object.freeze({ buttons })
})()
