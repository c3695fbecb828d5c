"use strict"

/**
 * The invoices there are, the newest first.
 */
const InvoiceList = (() => {
  const { el, icon, fill, byId } = Dom
  const { money, spoken, chip } = InvoiceWords

  /** @param {{query: () => string, status: () => string, chosen: () => string|null, onOpen: (id: string) => void, onShowAll: () => void}} page */
  function make({ query, status, chosen, onOpen, onShowAll }) {
    const list = new PageList({ what: "the invoices", path, rowsOf: (answer) => answer.invoices, draw, empty })

    function path() {
      const asked = new URLSearchParams(Object.entries({ q: query(), status: status() }).filter(([, value]) => value))
      return `/get-invoices${asked.size > 0 ? `?${asked}` : ""}`
    }

    function draw() {
      const { rows, answer } = list
      byId("listActs").hidden = true
      fill(byId("list"), rows.length > 0 && table(rows))
      const shown = list.hasMore ? `${rows.length} of ${answer.count} invoices` : Format.count(answer.count, "invoice")
      byId("listCount").textContent = rows.length > 0 ? `${shown} · ${money(answer.open_total)} open` : ""
    }

    function table(rows) {
      return el(
        "table",
        { class: "client-table invoice-table", role: "table", "aria-labelledby": "invoicesTitle" },
        el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, InvoiceWords.heads("Invoice", "Client", "Date", "Due", "#Total", "State"))),
        el("tbody", { role: "rowgroup" }, rows.map(row)),
      )
    }

    function row(invoice) {
      const classes = [invoice.id === chosen() && "open", invoice.invoice_status === "void" && "closed"].filter(Boolean)
      return el(
        "tr",
        { role: "row", class: classes.join(" ") || null, "data-invoice-id": invoice.id },
        el("th", { role: "rowheader", scope: "row" }, link(invoice)),
        el("td", { role: "cell" }, invoice.bill_to_name, el("span", { class: "k-number" }, ` ${invoice.knumber}`)),
        el("td", { role: "cell", class: "day", "data-label": "Date" }, spoken(invoice.invoice_date)),
        el("td", { role: "cell", class: "day right", "data-label": "Due" }, spoken(invoice.due_date)),
        el("td", { role: "cell", class: "number right first" }, money(invoice.invoice_total)),
        el("td", { role: "cell", class: "right second" }, chip(invoice)),
      )
    }

    function link(invoice) {
      const at = el("a", { href: `?view=invoices&id=${encodeURIComponent(invoice.id)}`, class: "client-name", "data-focus": invoice.id }, invoice.invoice_number)
      at.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return
        event.preventDefault()
        onOpen(invoice.id)
      })
      return at
    }

    function empty() {
      const q = query()
      const looking = Boolean(q || status())
      return el(
        "div",
        { class: "empty" },
        icon(looking ? "search" : "receipt"),
        el("p", {}, q ? `No invoice matches “${q}”` : looking ? "None like that" : "No invoices yet. They are made of trips, under “To invoice”"),
        looking && el("button", { type: "button", class: "btn btn-soft", onclick: onShowAll }, "Show all invoices"),
      )
    }

    /** What has become of one of them, in its row. */
    function put(invoice) {
      list.rows = list.rows.map((row) => (row.id === invoice.id ? { ...row, ...invoice } : row))
      if (list.answer) list.draw()
    }

    return Object.assign(list, { put })
  }

  return Object.freeze({ make })
})()
