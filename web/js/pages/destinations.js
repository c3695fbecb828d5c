"use strict"

/**
 * The destinations page: the clinics people are driven to. Search and filter are in the address, so that they can be kept and sent.
 */
{
  const { el, fill, icon, byId } = Dom
  const PAGE = 50
  const newIds = new Set()
  /** @type {any[]} */
  let rows = []
  /** @type {string|null} */
  let next = null
  let total = 0
  let loading = new AbortController()

  async function start() {
    if (!(await requireAuth()) || !enforcePageAccess("destinations")) return
    DestinationForm.init({ onSaved })
    byId("addDestinationBtn").addEventListener("click", () => DestinationForm.open())
    ListSearch.init(byId("destinationSearch"), search)
    byId("destinationStatus").addEventListener("change", search)
    byId("moreBtn").addEventListener("click", () => ask(next, loading.signal))
    document.addEventListener("task:changed", (event) => hear(event.detail.task))
    document.addEventListener("tasks:list", (event) => event.detail.source === "read" && rows.some(unfinished) && load())
    document.addEventListener("entity:view", viewHere)
    window.addEventListener("popstate", followAddress)
    followAddress()
  }

  // ── The address: ?q= &status= &id= &highlight=true ──

  function wanted() {
    const asked = new URLSearchParams(location.search)
    const status = ["true", "false"].find((one) => one === asked.get("status")) ?? ""
    return { q: asked.get("q") ?? "", status, id: asked.get("id") }
  }

  function address({ q, status, id }) {
    const asked = new URLSearchParams(Object.entries({ q, status, id }).filter(([, value]) => value))
    return location.pathname + (asked.size > 0 ? `?${asked}` : "")
  }

  function followAddress() {
    byId("destinationSearch").value = wanted().q
    byId("destinationStatus").value = wanted().status
    return load()
  }

  function search() {
    fill(byId("savedNote"))
    history.replaceState(null, "", address({ q: byId("destinationSearch").value.trim(), status: byId("destinationStatus").value }))
    load()
  }

  function viewHere(event) {
    if (event.detail.type !== "destination") return
    event.preventDefault()
    TaskPanel.close()
    history.pushState(null, "", address({ id: event.detail.id }))
    followAddress()
  }

  // ── Reading ──

  async function load() {
    loading.abort()
    loading = new AbortController()
    byId("destinationRows").setAttribute("aria-busy", "true")
    if (rows.length === 0) fill(byId("listState"), el("p", { class: "loading", role: "status" }, "Loading the destinations…"))
    await ask(null, loading.signal)
  }

  async function ask(after, signal) {
    const { q, status, id } = wanted()
    // One that is to be shown must be among those read, on whichever page it stands.
    const asked = new URLSearchParams(id && !after ? {} : { limit: String(PAGE) })
    if (q) asked.set("q", q)
    if (status) asked.set("active", status)
    if (after) asked.set("after", after)
    try {
      const answer = await APIClient.get(`/get-all-destinations?${asked}`, { signal })
      if (signal.aborted) return
      rows = after ? [...rows, ...answer.data.filter((row) => !rows.some((one) => one.id === row.id))] : answer.data
      next = answer.next ?? null
      total = answer.count
      draw()
      const first = after ? answer.data[0]?.id : id
      if (first) show(first)
    } catch (error) {
      if (signal.aborted) return
      fill(
        byId("listState"),
        Dom.problem(error, el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: load }, "Try again")),
      )
    } finally {
      if (!signal.aborted) byId("destinationRows").removeAttribute("aria-busy")
    }
  }

  function show(id) {
    const node = rowNode(id)
    node?.scrollIntoView({ block: "nearest" })
    node?.querySelector("button")?.focus()
  }

  // ── Drawing ──

  function draw() {
    const { q, status } = wanted()
    const key = byId("destinationRows").contains(document.activeElement) ? document.activeElement.dataset.focus : null
    fill(byId("destinationRows"), rows.map(row))
    if (key) byId("destinationRows").querySelector(`[data-focus="${CSS.escape(key)}"]`)?.focus()
    byId("destinationTable").hidden = rows.length === 0
    byId("moreBtn").hidden = next === null
    const shown = next === null ? Format.count(rows.length, "destination") : `${rows.length} of ${total} destinations`
    byId("listCount").textContent = [shown, q && `for “${q}”`, status && (status === "true" ? "in use" : "not in use")].filter(Boolean).join(" ")
    fill(byId("listState"), rows.length === 0 && nothing(q, status))
  }

  function row(one) {
    const classes = [!one.active && "closed", newIds.has(one.id) && "new", one.id === wanted().id && "highlight"]
    return el(
      "tr",
      { role: "row", "data-destination-id": one.id, class: classes.filter(Boolean).join(" ") || null },
      el(
        "th",
        { role: "rowheader", scope: "row" },
        el("span", { class: "client-name" }, one.name),
        !one.active && el("span", { class: "role-badge" }, "Not in use"),
      ),
      cell("Address", place(one), one.found === "approximate" && el("p", { class: "small quiet" }, "Found only approximately — check it")),
      cell("To ring", phone(one.phone), one.contacts.map(contact)),
      cell("Trips ahead", one.trips_ahead > 0 ? String(one.trips_ahead) : el("span", { class: "quiet" }, "none")),
      cell("Travel times", travelTimes(one)),
      cell("", el("div", { class: "acts" }, acts(one))),
    )
  }

  function cell(label, ...content) {
    return el("td", { role: "cell", "data-label": label || null }, ...content)
  }

  function place(one) {
    const region = [one.province, one.postal_code?.replace(" ", "\u00a0")].filter(Boolean).join(" ")
    return [one.address, el("br"), [one.city, region].filter(Boolean).join(", ")]
  }

  function phone(number) {
    return number && el("a", { href: `tel:${number}`, class: "plain" }, Format.phone(number))
  }

  function contact(person) {
    const kind = person.type === "main" ? null : person.type
    return el("p", { class: "small" }, [person.name, kind && `(${kind})`, Format.phone(person.phone)].filter(Boolean).join(" "))
  }

  function travelTimes(one) {
    const { task } = one
    if (task && unfinished(one)) return el("span", { class: "quiet" }, "Travel times are still being calculated")
    if (task && OpenFailures.isOpen(task)) return [el("div", { class: "chips" }, TaskChip.build(task)), TaskChip.reason(task)]
    return one.measured > 0 ? `from ${Format.count(one.measured, "client")}` : el("span", { class: "quiet" }, one.active ? "none yet" : "—")
  }

  function unfinished(one) {
    return Boolean(one.task) && TaskChip.isUnfinished(one.task)
  }

  function acts(one) {
    const lost = one.task && OpenFailures.isOpen(one.task) && ["maps.not_found", "maps.no_address"].includes(one.task.error_code)
    return [
      act(
        one,
        "edit",
        lost ? "Correct the address" : "Edit",
        () => DestinationForm.open(one, { at: lost ? "address" : "name" }),
        lost ? "btn-primary" : "btn-soft",
      ),
      act(one, "turn", one.active ? "Close" : "Use again", (button) => turn(one, button), "btn-quiet"),
    ]
  }

  function act(one, name, label, todo, look) {
    const key = `${name}-${one.id}`
    return el(
      "button",
      {
        type: "button",
        class: `btn btn-sm ${look}`,
        "data-focus": key,
        "data-action": name,
        "aria-label": `${label}: ${one.name}`,
        onclick: (event) => todo(event.currentTarget),
      },
      label,
    )
  }

  function nothing(q, status) {
    const looking = Boolean(q || status)
    return el(
      "div",
      { class: "empty" },
      icon(looking ? "search" : "geo-alt"),
      el("p", {}, q ? `No destination matches “${q}”` : looking ? "None like that" : "No destinations yet"),
      looking
        ? el("button", { type: "button", class: "btn btn-soft", onclick: showAll }, "Show all destinations")
        : el("button", { type: "button", class: "btn btn-primary", onclick: () => DestinationForm.open() }, "Add the first destination"),
    )
  }

  function showAll() {
    byId("destinationSearch").value = ""
    byId("destinationStatus").value = ""
    search()
    byId("destinationSearch").focus()
  }

  // ── Doing ──

  /** Closed ones stay in past trips, and are offered for no new one. */
  async function turn(one, button) {
    if (button.getAttribute("aria-disabled") === "true") return
    button.setAttribute("aria-disabled", "true")
    try {
      const body = { id: one.id, active: !one.active, version: one.version }
      const answer = await APIClient.put("/update-destination", body)
      const ahead = one.active && one.trips_ahead > 0 ? ` ${Format.count(one.trips_ahead, "trip")} still go there.` : ""
      say(`${one.name} is ${one.active ? "closed for new trips" : "in use again"}.${ahead}`)
      put(answer.data.destination, answer.task_ids)
      rowNode(one.id)?.querySelector("[data-action=turn]")?.focus()
    } catch (error) {
      const again = el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: load }, "Read the list again")
      fill(byId("savedNote"), Dom.problem(error, again))
    } finally {
      button.removeAttribute("aria-disabled")
    }
  }

  async function onSaved(destination, message) {
    if (!rows.some((one) => one.id === destination.id)) newIds.add(destination.id)
    say(message)
    await load()
    show(destination.id)
  }

  function say(text) {
    fill(byId("savedNote"), el("p", { class: "saved" }, icon("check-lg"), el("span", {}, text)))
  }

  function put(destination, taskIds) {
    const id = taskIds?.calculate_travel_times
    const task = id ? { task: { id, task_type: "calculate_travel_times", status: "pending", attempt: 0 } } : {}
    rows = rows.map((one) => (one.id === destination.id ? { ...one, ...destination, ...task } : one))
    draw()
  }

  // ── Live changes ──

  function hear(task) {
    if (task.entity_type !== "destination") return
    const one = rows.find((row) => row.id === task.entity_id)
    if (!one || (one.task && one.task.id !== task.id && task.created_at && Date.parse(task.created_at) < Date.parse(one.task.created_at))) return
    one.task = { ...(one.task?.id === task.id ? one.task : {}), ...task }
    draw()
    if (task.status === "completed") load() // an event does not carry how many were measured
  }

  function rowNode(id) {
    return byId("destinationRows").querySelector(`[data-destination-id="${CSS.escape(id)}"]`)
  }

  start()
}
