"use strict"

/**
 * The list of drivers: how each stands now, their week, and the work under way; read page by page, and kept true by what is heard of their tasks.
 *
 * The table's roles are written out, because on a phone its rows are laid out as cards and browsers then forget that they are rows.
 */
const DriverList = (() => {
  const { el, fill, icon, byId } = Dom
  const PAGE = 50
  const newIds = new Set()

  /** @type {any[]} */
  let drivers = []
  let stats = {}
  /** @type {string|null} */
  let next = null
  let total = 0
  let loading = new AbortController()
  /** @type {string|null} */
  let openId = null
  let wanted = () => ({ q: "", active: "", status: "" })
  let on = { open: (_id) => {}, showAll: () => {}, status: (_status) => {} }

  /** @param {{wanted: () => any, open: (id: string) => void, showAll: () => void, status: (status: string) => void}} options */
  function init(options) {
    wanted = options.wanted
    on = options
    byId("moreBtn").addEventListener("click", () => ask(next, loading.signal))
  }

  /** Reads the first page anew; what is shown stays until there is an answer. */
  async function load() {
    loading.abort()
    loading = new AbortController()
    byId("driverRows").setAttribute("aria-busy", "true")
    if (drivers.length === 0) fill(byId("listState"), el("p", { class: "loading", role: "status" }, "Loading the drivers…"))
    await ask(null, loading.signal)
  }

  async function ask(after, signal) {
    const asked = new URLSearchParams({ limit: String(PAGE) })
    for (const [name, value] of Object.entries(wanted())) if (value) asked.set(name, value)
    if (after) asked.set("after", after)
    try {
      const answer = await APIClient.get(`/driver-management?${asked}`, { signal })
      if (signal.aborted) return
      drivers = after ? [...drivers, ...answer.drivers.filter((row) => !find(row.id))] : answer.drivers
      ;({ next = null, stats, count: total } = answer)
      draw()
      if (after) rowNode(answer.drivers[0]?.id)?.querySelector("a")?.focus()
    } catch (error) {
      if (signal.aborted) return
      const again = el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: load }, "Try again")
      fill(byId("listState"), Dom.problem(error, again))
    } finally {
      if (!signal.aborted) byId("driverRows").removeAttribute("aria-busy")
    }
  }

  function find(id) {
    return drivers.find((one) => one.id === id)
  }

  // ── Drawing ──

  function draw() {
    const { q } = wanted()
    const focused = document.activeElement?.closest("#driverRows [data-driver-id]")?.dataset.driverId
    fill(byId("driverRows"), drivers.map(row))
    if (focused) rowNode(focused)?.querySelector("a")?.focus()
    drawStates()
    byId("driverTable").hidden = drivers.length === 0
    byId("moreBtn").hidden = next === null
    const shown = next === null ? Format.count(drivers.length, "driver") : `${drivers.length} of ${total} drivers`
    byId("listCount").textContent = q ? `${shown} for “${q}”` : shown
    fill(byId("listState"), drivers.length === 0 && nobody(wanted()))
  }

  /** How many stand how, whatever is shown; a click shows those alone. */
  function drawStates() {
    const { status } = wanted()
    const focused = byId("driverStates").contains(document.activeElement) ? document.activeElement.dataset.status : null
    const button = (value, word, count) =>
      el(
        "button",
        {
          type: "button",
          class: "state-filter",
          "data-status": value,
          "aria-pressed": String(status === value),
          onclick: () => on.status(status === value ? "" : value),
        },
        word,
        " ",
        el("span", { class: "count" }, String(count)),
      )
    fill(
      byId("driverStates"),
      button("", "Everybody", stats.total ?? 0),
      Object.entries(DriverState.STATES).map(([value, { word, count }]) => button(value, word, stats[count] ?? 0)),
    )
    if (focused !== null) byId("driverStates").querySelector(`[data-status="${focused}"]`).focus()
  }

  function row(driver) {
    const classes = [driver.id === openId && "open", newIds.has(driver.id) && "new", !driver.active && "off"].filter(Boolean)
    return el(
      "tr",
      { role: "row", "data-driver-id": driver.id, class: classes.join(" ") || null },
      el("th", { role: "rowheader", scope: "row" }, nameLink(driver), el("p", { class: "small quiet reach" }, reach(driver))),
      cell("Today", DriverState.chip(driver), driver.active && el("p", { class: "small quiet" }, todays(driver))),
      cell("This week", DriverWeek.bars(driver.week)),
      cell("Trips ahead", driver.trips_ahead > 0 ? String(driver.trips_ahead) : el("span", { class: "quiet" }, "none")),
      cell("Background work", work(driver)),
    )
  }

  function cell(label, ...content) {
    return el("td", { role: "cell", "data-label": label }, ...content)
  }

  function nameLink(driver) {
    const link = el("a", { href: `?id=${encodeURIComponent(driver.id)}`, class: "client-name" }, driver.name)
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return
      event.preventDefault()
      on.open(driver.id)
    })
    return link
  }

  function reach(driver) {
    const number = driver.work_phone ?? driver.phone
    return [driver.home_city && el("span", {}, driver.home_city), number && el("a", { href: `tel:${number}`, class: "plain" }, Format.phone(number))]
  }

  /** The hours kept today; or when they are back. */
  function todays(driver) {
    const today = DriverWeek.today()
    const away = driver.time_off.find((one) => one.entry_type === "time_off" && one.start_date <= today && today <= one.end_date)
    if (away) return away.all_day ? `until ${DriverWeek.day(away.end_date)}` : `${away.start_time}–${away.end_time}`
    const { starts, ends } = driver.week.find((one) => one.day === today) ?? {}
    return starts ? `${Format.time(starts)}–${Format.time(ends)}` : "day off"
  }

  /** Work that is done needs no words: only what is under way or has failed. */
  function work(driver) {
    const tasks = driver.tasks.filter((task) => TaskChip.isUnfinished(task) || OpenFailures.isOpen(task))
    if (tasks.length === 0) return el("span", { class: "quiet nothing" }, Format.UNKNOWN)
    return [el("div", { class: "chips" }, tasks.map(TaskChip.build)), tasks.map(TaskChip.reason)]
  }

  function nobody({ q, active, status }) {
    const looking = Boolean(q || active || status)
    return el(
      "div",
      { class: "empty" },
      icon(looking ? "search" : "truck-front"),
      el("p", {}, q ? `No driver matches “${q}”` : looking ? "No driver like that now" : "No drivers yet"),
      looking
        ? el("button", { type: "button", class: "btn btn-soft", onclick: () => on.showAll() }, "Show all drivers")
        : el("button", { type: "button", class: "btn btn-primary", onclick: () => DriverForm.open() }, icon("plus-lg"), "Add the first driver"),
    )
  }

  /** @returns {HTMLElement|null} the driver's row, if it is among those shown */
  function rowNode(id) {
    return byId("driverRows").querySelector(`[data-driver-id="${CSS.escape(id ?? "")}"]`)
  }

  /** Marks the row whose card is open; null for none. */
  function mark(id) {
    const before = openId
    openId = id
    for (const one of [before, id]) if (one) rowNode(one)?.classList.toggle("open", one === id)
  }

  /** One just saved: marked as new, wherever its name stands. */
  async function added(id) {
    newIds.add(id)
    await load()
    rowNode(id)?.scrollIntoView({ block: "nearest" })
  }

  /** A task has moved: shown at once. What it brought with it, an event does not carry: the list is read again. */
  function hear(task) {
    const driver = find(task.entity_id)
    if (task.entity_type !== "driver" || !driver) return
    const known = driver.tasks.find((one) => one.task_type === task.task_type)
    if (known && known.id !== task.id && Date.parse(task.created_at) < Date.parse(known.created_at)) return // news of an older one
    driver.tasks = [...driver.tasks.filter((one) => one !== known), { ...(known?.id === task.id ? known : {}), ...task }]
    draw()
    if (task.status === "completed") load()
  }

  /** Events may have been missed. */
  function catchUp() {
    if (drivers.some((driver) => driver.tasks.some(TaskChip.isUnfinished))) load()
  }

  return Object.freeze({ init, load, added, mark, rowNode, hear, catchUp })
})()
