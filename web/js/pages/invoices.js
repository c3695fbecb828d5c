"use strict"

/**
 * The invoices page: what is to be invoiced, which completed trips are not ready yet, the invoices there are, and for which trips somebody is
 * still to be paid. Which of these is shown, the search, the filter and what is open beside the list are in the address, to be kept and sent.
 */
{
  const { fill, el, icon, byId } = Dom
  const VIEWS = Object.freeze({
    ready: { hint: "Client or K number" },
    unready: { hint: "Client, place or driver" },
    unpaid: { hint: "Driver, booking agent or client" },
    invoices: { hint: "Number, client or K number" },
  })
  const lists = {
    ready: ReadyList.make({ query: () => wanted().q, chosen: () => wanted().client, onOpen: openClient, onOther: () => turnTo("unready") }),
    unready: MarkingList.make("unready", { query: () => wanted().q, onMarked: marked }),
    unpaid: MarkingList.make("unpaid", { query: () => wanted().q, onMarked: marked }),
    invoices: InvoiceList.make({
      query: () => wanted().q,
      status: () => wanted().status,
      chosen: () => wanted().id,
      onOpen: (id) => visit({ view: "invoices", id }),
      onShowAll: showAll,
    }),
  }
  /** What the card shows now: a client's id, an invoice's, or nothing. @type {string|null} */
  let shown = null
  /** @type {string|null} */
  let view = null

  async function start() {
    if (!(await requireAuth()) || !enforcePageAccess("finance")) return
    InvoiceForm.init({ onClose: leaveCard, onCreated: created, onMarked: marked })
    InvoiceCard.init({ onClose: leaveCard, onChanged: (invoice) => lists.invoices.put(invoice) })
    for (const segment of segments()) segment.addEventListener("click", () => turnTo(segment.dataset.view))
    ListSearch.init(byId("invoiceSearch"), search)
    ListSearch.keys(byId("invoiceSearch"), () => shown && leaveCard(), "input:not([type=checkbox]), select, textarea, .invoice-form")
    byId("invoiceStatus").addEventListener("change", search)
    byId("moreBtn").addEventListener("click", () => lists[wanted().view].more())
    document.addEventListener("task:changed", (event) => event.detail.task.entity_type === "invoice" && InvoiceCard.hear(event.detail.task))
    document.addEventListener("tasks:list", (event) => event.detail.source === "read" && InvoiceCard.catchUp())
    document.addEventListener("entity:view", viewHere)
    window.addEventListener("popstate", () => followAddress({ focus: false }))
    await followAddress({ focus: true })
  }

  // ── The address: ?view= &q= &status= &client= &id= &highlight=true ──

  function wanted() {
    const asked = new URLSearchParams(location.search)
    const id = asked.get("id")
    const named = Object.hasOwn(VIEWS, asked.get("view") ?? "") ? asked.get("view") : id ? "invoices" : "ready"
    const status = [...byId("invoiceStatus").options].map((one) => one.value).find((one) => one === asked.get("status")) ?? ""
    return { view: named, q: asked.get("q") ?? "", status, client: asked.get("client"), id, highlight: asked.get("highlight") === "true" }
  }

  function address({ view: of, q = "", status = "", client = null, id = null }) {
    return `${location.pathname}?${new URLSearchParams(Object.entries({ view: of, q, status, client, id }).filter(([, value]) => value))}`
  }

  /** Shows what the address says. said: what was just done, in the server's words. */
  function followAddress({ focus = false, said = "" } = {}) {
    const now = wanted()
    if (view && view !== now.view) lists[view].stop()
    const turned = view !== now.view
    view = now.view
    for (const segment of segments()) segment.setAttribute("aria-pressed", String(segment.dataset.view === view))
    byId("invoiceSearch").value = now.q
    byId("invoiceSearch").placeholder = VIEWS[view].hint
    byId("invoiceStatus").hidden = view !== "invoices"
    byId("invoiceStatus").value = now.status
    if (turned) {
      fill(byId("list"))
      fill(byId("listActs"))
      byId("listActs").hidden = true
      byId("listCount").textContent = ""
      byId("moreBtn").hidden = true
      lists[view].answer = null
    }
    showCard(now, { focus, said })
    return lists[view].load()
  }

  function showCard({ client, id, highlight }, { focus, said }) {
    const next = view === "invoices" ? id : view === "ready" ? client : null
    byId("invoicesPage").classList.toggle("has-card", next !== null)
    if (next === shown && !said) return
    InvoiceForm.hide()
    InvoiceCard.hide()
    shown = next
    byId("sideCard").hidden = next === null
    if (next === null) fill(byId("sideCard"))
    else if (view === "invoices") InvoiceCard.show(next, { focus, highlight, said })
    else InvoiceForm.show(next, { focus })
  }

  function visit(to, { focus = true, said = "" } = {}) {
    const { q, status } = wanted()
    const same = to.view === wanted().view
    history.pushState(null, "", address({ ...(same && { q, status }), ...to }))
    if (!same || said) return followAddress({ focus, said })
    showCard(wanted(), { focus, said })
    lists[wanted().view].draw()
  }

  function turnTo(of) {
    fill(byId("savedNote"))
    history.pushState(null, "", address({ view: of }))
    followAddress()
  }

  function search() {
    fill(byId("savedNote"))
    const { view: of, client, id } = wanted()
    const status = of === "invoices" ? byId("invoiceStatus").value : ""
    history.replaceState(null, "", address({ view: of, q: byId("invoiceSearch").value.trim(), status, client, id }))
    lists[of].load()
  }

  function showAll() {
    byId("invoiceSearch").value = ""
    byId("invoiceStatus").value = ""
    search()
    byId("invoiceSearch").focus()
  }

  // ── The card ──

  function openClient(client) {
    visit({ view: "ready", client: client.id })
  }

  function leaveCard() {
    const left = shown
    visit({ view: wanted().view }, { focus: false })
    const link = left && byId("list").querySelector(`[data-focus="${CSS.escape(left)}"]`)
    ;(link ?? byId("invoiceSearch")).focus()
  }

  /** A new invoice is shown where it can be sent and paid. */
  function created(id, message) {
    return visit({ view: "invoices", id }, { said: message })
  }

  async function marked(message) {
    fill(byId("savedNote"), el("p", { class: "saved" }, icon("check-lg"), el("span", {}, message)))
    if (shown) leaveCard()
    await lists[wanted().view].load()
    byId("invoiceSearch").focus()
  }

  function viewHere(event) {
    if (event.detail.type !== "invoice") return
    event.preventDefault()
    TaskPanel.close()
    history.pushState(null, "", `${address({ view: "invoices", id: event.detail.id })}&highlight=true`)
    followAddress({ focus: true })
  }

  function segments() {
    return [...document.querySelectorAll(".segment[data-view]")]
  }

  start()
}
