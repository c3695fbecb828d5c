"use strict"

/**
 * One invoice beside the list: what it asks of whom, its lines, what can be done with it, and what was done.
 */
const InvoiceCard = (() => {
  const { el, icon, fill, byId } = Dom
  const { money, spoken, brief, percent, chip } = InvoiceWords
  const SOON_MS = 150
  const VERBS = Object.freeze({ create: "created it", send: "sent it by e-mail", mark: "marked it", void: "voided it" })

  let shownId = null
  let asked = 0
  let soon = 0
  let note = ""
  /** @type {any} */
  let data = null
  let page = { onClose: () => {}, onChanged: (_invoice) => {} }

  function init(options) {
    page = options
  }

  /** @param {string} id @param {{focus?: boolean, highlight?: boolean, said?: string}} [options] said: what was just done, in the server's words */
  async function show(id, { focus = true, highlight = false, said = "" } = {}) {
    shownId = id
    data = null
    note = said
    const card = byId("sideCard")
    card.hidden = false
    card.classList.toggle("highlight", highlight)
    draw(el("h2", {}, "Invoice"), el("p", { class: "loading", role: "status" }, "Loading the invoice…"))
    if (focus) card.focus()
    await read()
  }

  function hide() {
    shownId = null
    asked += 1
  }

  /** A task of this invoice changed: shown at once, and the rest read again shortly after. */
  function hear(task) {
    if (!shownId || task.entity_id !== shownId) return
    if (data) {
      const known = data.tasks.findIndex((one) => one.id === task.id)
      if (known >= 0) data.tasks[known] = { ...data.tasks[known], ...task }
      else data.tasks.unshift(task)
      drawData()
    }
    clearTimeout(soon)
    soon = setTimeout(read, SOON_MS)
  }

  function catchUp() {
    if (data) read()
  }

  async function read() {
    if (!shownId) return
    asked += 1
    const mine = asked
    try {
      const answer = await APIClient.get(`/get-invoice?id=${encodeURIComponent(shownId)}`)
      if (mine !== asked) return
      data = answer
      drawData()
      page.onChanged({ ...answer.invoice, overdue: answer.around.overdue })
    } catch (error) {
      if (mine !== asked) return
      const again = el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: read }, "Try again")
      draw(el("h2", {}, "Invoice"), Dom.problem(error, again))
    }
  }

  // ── Drawing ──

  function draw(title, ...content) {
    const card = byId("sideCard")
    const key = card.contains(document.activeElement) ? document.activeElement.closest("[data-focus]")?.dataset.focus : null
    const close = el("button", { type: "button", class: "btn btn-sm btn-quiet", "data-focus": "close", onclick: () => page.onClose() }, icon("x-lg"), "Close")
    fill(card, el("header", { class: "client-head" }, el("div", {}, title), close), ...content)
    if (key) (card.querySelector(`[data-focus="${CSS.escape(key)}"]`) ?? card).focus()
  }

  function drawData() {
    const { invoice, around, lines, tasks, changes } = data
    const problems = el("div", {})
    const acts = InvoiceActs.buttons(invoice, around, { refused: (error) => fill(problems, Dom.problem(error)), done })
    const work = TaskHistory.build(tasks, { onRetried: hear })
    const unwell = tasks.some(OpenFailures.isOpen)
    draw(
      [
        el("h2", {}, invoice.invoice_number),
        el("p", { class: "user-title" }, el("span", {}, `${invoice.bill_to_name} `, el("span", { class: "k-number" }, invoice.knumber)), chip({ ...invoice, overdue: around.overdue })),
      ],
      el("div", { role: "status" }, note && el("p", { class: "saved" }, icon("check-lg"), el("span", {}, note))),
      el("div", { class: "user-acts", role: "group", "aria-label": "What to do" }, acts),
      problems,
      unwell && work, // What needs a person comes first.
      facts(invoice, around),
      paper(invoice, lines),
      !unwell && work,
      history(changes),
    )
  }

  async function done(message) {
    note = message
    await read()
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
    return el(
      "dl",
      { class: "record" },
      rows.filter(([, value]) => value).map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value))),
    )
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
      { "aria-labelledby": "historyTitle" },
      el("h3", { id: "historyTitle" }, "History"),
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
