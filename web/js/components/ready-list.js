"use strict"

/**
 * Clients with trips that are ready for an invoice, and what those come to before tax.
 */
const ReadyList = (() => {
  const { el, icon, fill, byId } = Dom
  const { money, brief, dayOf } = InvoiceWords

  /** @param {{query: () => string, chosen: () => string|null, onOpen: (client: any) => void, onOther: () => void}} page */
  function make({ query, chosen, onOpen, onOther }) {
    const list = new PageList({
      what: "what is to be invoiced",
      path: () => `/get-clients-to-invoice${query() ? `?${new URLSearchParams({ q: query() })}` : ""}`,
      rowsOf: (answer) => answer.clients.map((client) => ({ ...client, id: client.client_id })),
      draw,
      empty,
    })

    function draw() {
      const { rows } = list
      byId("listActs").hidden = true
      fill(byId("list"), rows.length > 0 && table(rows))
      const { count, trips, subtotal } = list.answer
      const shown = [Format.count(count, "client"), Format.count(trips, "trip"), `${money(subtotal)} before tax`]
      byId("listCount").textContent = rows.length > 0 ? shown.join(" · ") : ""
    }

    function table(rows) {
      return el(
        "table",
        { class: "client-table invoice-table ready-table", role: "table", "aria-labelledby": "invoicesTitle" },
        el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, InvoiceWords.heads("Client", "#Trips", "Driven", "#Before tax"))),
        el("tbody", { role: "rowgroup" }, rows.map(row)),
      )
    }

    function row(client) {
      const days = [...new Set([client.first, client.last].map((at) => brief(dayOf(at))))]
      return el(
        "tr",
        { role: "row", class: client.id === chosen() ? "open" : null, "data-client-id": client.id },
        el("th", { role: "rowheader", scope: "row" }, link(client), el("span", { class: "k-number" }, client.knumber)),
        el("td", { role: "cell", class: "number right", "data-label": "Trips" }, String(client.trips)),
        el(
          "td",
          { role: "cell", "data-label": "Driven" },
          days.join(" – "),
          client.without_rate > 0 && el("p", { class: "no-rate small" }, icon("exclamation-circle"), `${client.without_rate} without a rate`),
        ),
        el("td", { role: "cell", class: "number right", "data-label": "Before tax" }, money(client.subtotal)),
      )
    }

    function link(client) {
      const at = el("a", { href: `?view=ready&client=${encodeURIComponent(client.id)}`, class: "client-name", "data-focus": client.id }, client.client_name)
      at.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return
        event.preventDefault()
        onOpen(client)
      })
      return at
    }

    function empty() {
      const q = query()
      return el(
        "div",
        { class: "empty" },
        icon(q ? "search" : "check2-circle"),
        el("p", {}, q ? `Nobody with trips to invoice matches “${q}”` : "Nothing to invoice: no trips are marked ready"),
        !q && el("button", { type: "button", class: "btn btn-soft", onclick: onOther }, "Look at completed trips"),
      )
    }

    return list
  }

  return Object.freeze({ make })
})()
