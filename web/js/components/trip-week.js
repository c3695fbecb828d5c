"use strict"

/**
 * The week, Monday to Sunday: each trip from its pickup to its drop-off, by the office's clocks. On a phone the days stand one below the other.
 *
 * One stop for the Tab key; the arrows go from trip to trip, left and right from day to day.
 */
const TripWeek = (() => {
  const { el, fill, byId } = Dom
  const DAYS = [0, 1, 2, 3, 4, 5, 6]
  const DAY_BEGINS = 7
  const DAY_ENDS = 18
  const LEAST = 0.55 // of an hour: a block that can be read and hit
  const LANE_PX = 58
  const narrow = matchMedia("(max-width: 48rem)")

  /** @type {{monday: string, appointments: any[]}|null} */
  let week = null
  let loading = new AbortController()
  /** @type {string|null} */
  let openId = null
  let onOpen = (_id) => {}
  let onDay = (_day) => {}
  let onWeek = (_day) => {}

  /** @param {{onOpen: (id: string) => void, onDay: (day: string) => void, onWeek: (day: string) => void}} options onDay: a day's whole list */
  function init(options) {
    ;({ onOpen, onDay, onWeek } = options)
    const shown = () => TripFilters.wanted().day ?? WallTime.today()
    byId("weekBefore").addEventListener("click", () => onWeek(WallTime.plus(shown(), -7)))
    byId("weekAfter").addEventListener("click", () => onWeek(WallTime.plus(shown(), 7)))
    byId("weekToday").addEventListener("click", () => onWeek(WallTime.today()))
    byId("weekDays").addEventListener("keydown", move)
    narrow.addEventListener("change", () => week && draw())
    let width = 0
    new ResizeObserver(([{ contentRect }]) => {
      if (width && contentRect.width && Math.abs(width - contentRect.width) > 1 && week && !narrow.matches) draw()
      width = contentRect.width || width
    }).observe(byId("weekView"))
  }

  async function load() {
    const { day, driver } = TripFilters.wanted()
    const monday = WallTime.monday(day ?? WallTime.today())
    loading.abort()
    loading = new AbortController()
    const { signal } = loading
    if (week?.monday !== monday) {
      week = null
      head(monday)
      fill(byId("weekDays"), el("p", { class: "loading", role: "status" }, "Loading the week…"))
    }
    const asked = new URLSearchParams({ day: monday, ...(driver && { driver }) })
    try {
      week = await APIClient.get(`/get-week?${asked}`, { signal })
      head(monday)
      draw()
    } catch (error) {
      if (signal.aborted) return
      const again = el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: load }, "Try again")
      if (!week) fill(byId("weekDays"), Dom.problem(error, again))
    }
  }

  function head(monday) {
    const sunday = WallTime.plus(monday, 6)
    byId("weekTitle").textContent = `${WallTime.short(monday)} – ${WallTime.short(sunday)}, ${sunday.slice(0, 4)}`
    byId("weekToday").setAttribute("aria-pressed", String(WallTime.monday(WallTime.today()) === monday))
  }

  // ── Drawing ──

  function draw() {
    const focused = byId("weekDays").contains(document.activeElement) ? document.activeElement.dataset.block : null
    const days = DAYS.map((n) => WallTime.plus(week.monday, n))
    const axis = WeekLayout.axis(days)
    const byDay = new Map(days.map((day) => [day, blocksOf(day, axis)]))
    byId("weekDays").classList.toggle("as-list", narrow.matches)
    if (narrow.matches) fill(byId("weekDays"), days.map((day) => dayList(day, byDay.get(day))))
    else grid(days, axis, byDay)
    const count = new Set(week.appointments.map((trip) => trip.id)).size
    byId("listCount").textContent = `${Format.count(count, "trip")} this week`
    const blocks = all()
    const stop = blocks.find((one) => one.dataset.block === (focused ?? openId)) ?? blocks[0]
    for (const one of blocks) one.tabIndex = one === stop || narrow.matches ? 0 : -1
    if (focused) stop?.focus({ preventScroll: true })
    mark(openId)
  }

  function blocksOf(day, axis) {
    const begins = WallTime.hours(day)
    return week.appointments
      .map((trip) => ({ trip, starts: Date.parse(trip.pickuptime), ends: Date.parse(trip.drop_off_time) }))
      .filter(({ starts, ends }) => starts < begins.at(-1) && ends > begins[0])
      .map(({ trip, starts, ends }) => {
        const from = axis.at(day, starts)
        return { trip, from, to: Math.max(axis.at(day, ends, true), from + LEAST) }
      })
      .sort((a, b) => a.from - b.from || Number(b.trip.id === openId) - Number(a.trip.id === openId) || a.to - b.to)
  }

  function grid(days, axis, byDay) {
    const blocks = [...byDay.values()].flat()
    const usual = (clock) => axis.rows.findIndex((row) => row.clock === clock && !row.again)
    const first = Math.floor(Math.min(usual(String(DAY_BEGINS).padStart(2, "0")), ...blocks.map(({ from }) => from)))
    const last = Math.ceil(Math.max(usual(String(DAY_ENDS)), ...blocks.map(({ to }) => to)))
    const lanes = Math.max(2, Math.floor((byId("weekView").clientWidth - 60) / 7 / LANE_PX))
    const today = WallTime.today()
    const rows = axis.rows.slice(first, last)
    byId("weekDays").style.setProperty("--rows", String(last - first))
    fill(
      byId("weekDays"),
      el(
        "div",
        { class: "week-hours", "aria-hidden": "true" },
        rows.map(({ clock, again }, n) => at(el("span", {}, again ? `${clock}:00 again` : `${clock}:00`), { "--from": n })),
      ),
      days.map((day) =>
        el(
          "section",
          { class: day === today ? "week-day today" : "week-day", "data-day": day, "aria-label": dayLabel(day, byDay.get(day)) },
          el("h3", {}, dayLink(day)),
          el(
            "div",
            { class: "week-column" },
            axis.lacks
              .get(day)
              .filter((n) => n >= first && n < last)
              .map((n) => at(el("div", { class: "week-lack", title: "The clocks skip this hour, or do not repeat it, on this day" }), { "--from": n - first })),
            WeekLayout.lanes(byDay.get(day), lanes).map((block) => place(block, day, first)),
          ),
        ),
      ),
    )
  }

  function dayLabel(day, blocks) {
    return `${WallTime.title(day)}: ${blocks.length === 0 ? "no trips" : Format.count(blocks.length, "trip")}`
  }

  function dayLink(day) {
    const href = TripFilters.address({ view: "list", from: day, to: day, when: "", day: "", id: "" })
    return el("a", { href, title: "This day as a list", onclick: (event) => follow(event, () => onDay(day)) }, WallTime.short(day))
  }

  function place(block, day, first) {
    const node = block.trips.length === 1 ? one(block.trips[0]) : several(block.trips, day)
    node.classList.toggle("brief", block.to - block.from < 1)
    const share = 100 / block.lanes
    return at(node, { "--from": block.from - first, "--long": block.to - block.from, "--left": `${block.lane * share}%`, "--wide": `${share}%` })
  }

  function one(trip) {
    return el(
      "a",
      {
        href: TripFilters.address({ id: trip.id }),
        class: "week-trip",
        "data-trip": TripWords.state(trip),
        "data-block": trip.id,
        title: TripWords.sentence(trip),
        onclick: (event) => follow(event, () => onOpen(trip.id)),
      },
      el("span", { class: "week-trip-time" }, TripWords.stateIcon(trip), el("span", { class: "clock" }, Format.time(trip.pickuptime)), unseen(` to ${Format.time(trip.drop_off_time)},`)),
      el("span", { class: "week-trip-who" }, TripWords.who(trip), unseen(",")),
      el("span", { class: "week-trip-more" }, (!TripFilters.wanted().driver && trip.driver_name) || TripWords.where(trip)),
      unseen(`, ${TripWords.stateLabel(trip).toLowerCase()}`),
    )
  }

  function unseen(text) {
    return el("span", { class: "visually-hidden" }, text)
  }

  function several(trips, day) {
    return el(
      "a",
      {
        href: TripFilters.address({ view: "list", from: day, to: day, when: "", day: "", id: "" }),
        class: "week-trip more",
        "data-block": `more-${day}-${trips[0].id}`,
        onclick: (event) => follow(event, () => onDay(day)),
      },
      `+${trips.length}`,
      unseen(" more at the same time: see the day as a list"),
    )
  }

  function dayList(day, blocks) {
    return el(
      "section",
      { class: "week-list", "aria-label": dayLabel(day, blocks) },
      el("h3", {}, day === WallTime.today() && "Today · ", WallTime.title(day)),
      blocks.length === 0 ? el("p", { class: "quiet small" }, "No trips") : el("ol", {}, blocks.map(({ trip }) => listed(trip))),
    )
  }

  function listed(trip) {
    const link = el(
      "a",
      { href: TripFilters.address({ id: trip.id }), class: "client-name", "data-block": trip.id, onclick: (event) => follow(event, () => onOpen(trip.id)) },
      TripWords.who(trip),
    )
    const more = [TripWords.where(trip), !TripFilters.wanted().driver && trip.driver_name].filter(Boolean).join(" · ")
    return el(
      "li",
      {},
      el("span", { class: "figure" }, TripWords.span(trip)),
      el("div", {}, link, el("p", { class: "quiet small" }, more)),
      TripWords.chip(trip),
    )
  }

  /** Positions are custom properties, which the style sheet turns into places. */
  function at(node, places) {
    for (const [name, value] of Object.entries(places)) node.style.setProperty(name, String(value))
    return node
  }

  function follow(event, act) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return
    event.preventDefault()
    act()
  }

  // ── Keys ──

  function all() {
    return /** @type {HTMLElement[]} */ ([...byId("weekDays").querySelectorAll("[data-block]")])
  }

  function move(event) {
    const here = event.target.closest("[data-block]")
    if (!here || narrow.matches) return
    const steps = { ArrowDown: () => beside(here, 1), ArrowUp: () => beside(here, -1), ArrowRight: () => across(here, 1), ArrowLeft: () => across(here, -1) }
    const next = Object.hasOwn(steps, event.key) ? steps[event.key]() : null
    if (!next) return
    event.preventDefault()
    here.tabIndex = -1
    next.tabIndex = 0
    next.focus()
  }

  function beside(here, step) {
    const blocks = all()
    return blocks[blocks.indexOf(here) + step]
  }

  /** The trip of the next day that has one, that begins nearest to the same time. */
  function across(here, step) {
    const columns = [...byId("weekDays").querySelectorAll(".week-day")]
    const from = (node) => Number(node.style.getPropertyValue("--from"))
    for (let n = columns.indexOf(here.closest(".week-day")) + step; columns[n]; n += step) {
      const [nearest] = [...columns[n].querySelectorAll("[data-block]")].sort((a, b) => Math.abs(from(a) - from(here)) - Math.abs(from(b) - from(here)))
      if (nearest) return nearest
    }
    return null
  }

  /** Marks the block whose card is open; null for none. */
  function mark(id) {
    openId = id
    for (const node of all()) {
      if (node.dataset.block === id) node.setAttribute("aria-current", "true")
      else node.removeAttribute("aria-current")
    }
  }

  /** @param {string[]} days @returns {boolean} whether one of them is in the week shown */
  function touches(days) {
    return week === null || days.some((day) => WallTime.monday(day) === week.monday)
  }

  /** @returns {HTMLElement|null} a trip's block, if it is in the week shown */
  function link(id) {
    return all().find((node) => node.dataset.block === id) ?? null
  }

  return Object.freeze({ init, load, mark, link, touches })
})()
