"use strict"

/**
 * One invoice beside the list: what it asks of whom, its lines, what can be done with it, and what was done.
 */
const InvoiceCard = (() => {
  const { el, fill } = Dom
  const { money, spoken, brief, percent, chip } = InvoiceWords
  const VERBS = Object.freeze({ create: "created it", send: "sent it by e-mail", mark: "marked it", void: "voided it" })

  const card = RecordCard.make({
    place: "sideCard",
    what: "the invoice",
    heading: "Invoice",
    read: (id) => APIClient.get(`/get-invoice?id=${encodeURIComponent(id)}`),
    draw,
    onRead: ({ invoice, around }) => page.onChanged({ ...invoice, overdue: around.overdue }),
    onClose: () => page.onClose(),
  })
  const { show, hear, catchUp } = card
  let page = { onClose: () => {}, onChanged: (_invoice) => {} }

  /** @param {{onClose: () => void, onChanged: (invoice: any) => void}} options onChanged: it was read again, and the list shows it too */
  function init(options) {
    page = options
  }

  /** The place is shared: whether it is seen is the page's to say. */
  function hide() {
    card.forget()
  }

  // ── Drawing ──

  function draw({ invoice, around, lines, tasks, changes }, note) {
    const problems = el("div", {})
    const acts = InvoiceActs.buttons(invoice, around, { refused: (error) => fill(problems, Dom.problem(error)), done: (message) => card.saved(message) })
    const work = TaskHistory.build(tasks, { onRetried: hear })
    const unwell = tasks.some(OpenFailures.isOpen)
    const who = el("span", {}, `${invoice.bill_to_name} `, el("span", { class: "k-number" }, invoice.knumber))
    return [
      [el("h2", {}, invoice.invoice_number), el("p", { class: "user-title" }, who, chip({ ...invoice, overdue: around.overdue }))],
      RecordCard.said(note),
      el("div", { class: "user-acts", role: "group", "aria-label": "What to do" }, acts),
      problems,
      unwell && work, // What needs a person comes first.
      facts(invoice, around),
      paper(invoice, lines),
      !unwell && work,
      history(changes),
    ]
  }

  function facts(invoice, around) {
    const by = (name) => (name ? ` by ${name}` : "")
    const rows = [
      ["Date", spoken(invoice.invoice_date)],
      ["Due", spoken(invoice.due_date)],
      ["Created", `${Format.dateTime(invoice.invoice_created_at)}${by(around.created_by_name)}`],
      ["Sent", invoice.invoice_sent_at && Format.dateTime(invoice.invoice_sent_at)],
      ["E-mail to", invoice.mail_to],
      ["Paid", invoice.payment_received_at && Format.dateTime(invoice.payment_received_at)],
      ["Voided", invoice.voided_at && `${Format.dateTime(invoice.voided_at)}${by(around.voided_by_name)}`],
      ["Notes", invoice.notes],
    ]
    return RecordCard.facts(rows)
  }

  function paper(invoice, lines) {
    const sums = [
      ["Subtotal", invoice.invoice_subtotal],
      [`Tax (${percent(invoice.tax_rate)})`, invoice.invoice_tax],
      ["Total", invoice.invoice_total],
    ]
    return el(
      "section",
      { "aria-labelledby": "linesTitle" },
      el("h3", { id: "linesTitle" }, Format.count(lines.length, "trip")),
      el(
        "table",
        { class: "drive-times invoice-lines" },
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Date"), el("th", { scope: "col" }, "Trip"), el("th", { scope: "col", class: "number" }, "Amount"))),
        el(
          "tbody",
          {},
          lines.map((line) =>
            el(
              "tr",
              {},
              el("td", { class: "day" }, brief(line.served_on)),
              el("td", {}, el("a", { class: "plain", href: `appointments.html?id=${encodeURIComponent(line.appointment_id)}` }, line.description)),
              el("td", { class: "number" }, money(line.rate)),
            ),
          ),
        ),
      ),
      el("dl", { class: "sums" }, sums.map(([label, amount]) => el("div", {}, el("dt", {}, label), el("dd", { class: "number" }, money(amount))))),
    )
  }

  function history(changes) {
    if (changes.length === 0) return null
    return el(
      "section",
      { "aria-labelledby": "doneTitle" },
      el("h3", { id: "doneTitle" }, "History"),
      el(
        "ol",
        { class: "history" },
        changes.map((change) => {
          const verb = VERBS[change.action.split("_")[0]] ?? change.action.replaceAll("_", " ")
          const what = [verb, change.action === "mark_invoice" && change.details?.status].filter(Boolean).join(" ")
          return el("li", {}, el("p", {}, el("strong", {}, change.user_name ?? "The system"), ` ${what}`), el("p", { class: "history-head" }, Dom.ago(change.created_at)))
        }),
      ),
    )
  }

  return Object.freeze({ init, show, hide, hear, catchUp })
})()
