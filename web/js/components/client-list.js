"use strict"

/**
 * The list of clients: read page by page, and kept true by what is heard of their tasks.
 */
const ClientList = (() => {
  const { el, fill, icon, byId } = Dom
  const PAGE = 50
  const REREAD_MOST = 10
  const newIds = new Set()

  /** @type {any[]} */
  let clients = []
  /** @type {string|null} */
  let next = null
  let total = 0
  let loading = new AbortController()
  /** @type {string|null} */
  let openId = null
  let query = () => ""
  let status = () => ""
  let onOpen = (_id) => {}
  let onShowAll = () => {}

  /** @param {{query: () => string, status: () => string, onOpen: (id: string) => void, onShowAll: () => void}} options onShowAll: drop the search */
  function init(options) {
    ;({ query, status, onOpen, onShowAll } = options)
    byId("moreBtn").addEventListener("click", more)
  }

  /** Reads the first page anew. */
  async function load() {
    loading.abort()
    loading = new AbortController()
    byId("clientRows").setAttribute("aria-busy", "true")
    if (clients.length === 0) fill(byId("listState"), el("p", { class: "loading", role: "status" }, "Loading the clients…"))
    await ask(null, loading.signal)
  }

  function more() {
    return ask(next, loading.signal)
  }

  async function ask(after, signal) {
    const asked = new URLSearchParams({ limit: String(PAGE) })
    const q = query()
    if (q) asked.set("q", q)
    if (status()) asked.set("status", status())
    if (after) asked.set("after", after)
    const since = ClientNews.now()
    try {
      const answer = await APIClient.get(`/get-clients?${asked}`, { signal })
      if (signal.aborted) return
      const rows = answer.clients.map((client) => ClientNews.apply(client, since))
      clients = after ? [...clients, ...rows.filter((row) => !clients.some((one) => one.id === row.id))] : rows
      next = answer.next ?? null
      total = Math.max(answer.count ?? 0, clients.length)
      draw()
      if (after)
        byId("clientRows")
          .querySelector(`[data-client-id="${CSS.escape(rows[0]?.id ?? "")}"] a`)
          ?.focus()
    } catch (error) {
      if (signal.aborted) return
      fill(
        byId("listState"),
        Dom.problem(error, el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: load }, "Try again")),
      )
    } finally {
      if (!signal.aborted) byId("clientRows").removeAttribute("aria-busy")
    }
  }

  function draw() {
    const q = query()
    const focused = document.activeElement?.closest("[data-client-id]")?.dataset.clientId
    fill(byId("clientRows"), clients.map(row))
    byId("clientTable").hidden = clients.length === 0
    byId("moreBtn").hidden = next === null
    const shown =
      next === null ? Format.count(clients.length, "client") : `${clients.length} of ${total > clients.length ? total : "more"} clients`
    byId("listCount").textContent = [shown, q && `for “${q}”`, status() && `(${status()})`].filter(Boolean).join(" ")
    fill(byId("listState"), clients.length === 0 && nobody(q))
    if (focused) rowNode(focused)?.querySelector("a")?.focus()
  }

  function row(client) {
    return ClientRow.build(client, { isOpen: client.id === openId, isNew: newIds.has(client.id), onOpen })
  }

  function redraw(client) {
    const node = rowNode(client.id)
    if (!node) return
    const focused = node.contains(document.activeElement)
    const fresh = row(client)
    node.replaceWith(fresh)
    if (focused) fresh.querySelector("a")?.focus()
  }

  /** @returns {HTMLElement|null} its row, if it is among those shown */
  function rowNode(id) {
    return byId("clientRows").querySelector(`[data-client-id="${CSS.escape(id)}"]`)
  }

  function nobody(q) {
    return el(
      "div",
      { class: "empty" },
      icon(q || status() ? "search" : "people"),
      el("p", {}, q ? `No client matches “${q}”` : status() ? `No client is ${status()}` : "No clients yet"),
      q || status()
        ? el("button", { type: "button", class: "btn btn-soft", onclick: onShowAll }, "Show all clients")
        : el(
            "button",
            { type: "button", class: "btn btn-primary", onclick: () => ClientForm.open() },
            icon("person-plus"),
            "Add the first client",
          ),
    )
  }

  /** Puts one just saved on top, wherever its name would stand. */
  async function add(id) {
    newIds.add(id)
    try {
      clients = [await ClientNews.read(id), ...clients.filter((one) => one.id !== id)]
      total += 1
      draw()
    } catch {
      await load() // It is saved; the list shows it, or says why it cannot.
    }
    rowNode(id)?.scrollIntoView({ block: "nearest" })
  }

  /** One that was corrected is read again, where it is shown. */
  function refresh(id) {
    return reread(id)
  }

  /** Marks the row whose card is open; null for none. */
  function mark(id) {
    const before = openId
    openId = id
    for (const one of [before, id]) if (one) rowNode(one)?.classList.toggle("open", one === id)
  }

  // ── Live changes ──

  function hear(task) {
    ClientNews.hear(task)
    if (task.entity_type !== "client") return
    const client = clients.find((one) => one.id === task.entity_id)
    if (!client) return
    client.tasks = ClientNews.merged(client.tasks ?? [], task)
    redraw(client)
    if (task.status === "completed") reread(client.id)
  }

  /** One client read again for what an event does not carry: its drive times. */
  async function reread(id) {
    try {
      const client = await ClientNews.read(id)
      const at = clients.findIndex((one) => one.id === id)
      if (at < 0) return
      clients[at] = client
      redraw(client)
    } catch {
      // What is shown stays; the next event or list reading tries again, and the header shows a lost connection.
    }
  }

  /** Events are not replayed: after a (re)connection, and at each polling, what was under way is looked at again. */
  function rereadUnfinished() {
    const unfinished = clients.filter((client) => (client.tasks ?? []).some(TaskChip.isUnfinished))
    for (const client of unfinished.slice(0, REREAD_MOST)) reread(client.id)
  }

  return Object.freeze({ init, load, add, refresh, mark, rowNode, hear, rereadUnfinished })
})()
