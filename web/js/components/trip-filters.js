"use strict"

/**
 * Which trips are shown, and how: all of it is in the address, so that it can be kept and sent. Ranges that move with the days (today, this week)
 * stay words there.
 */
const TripFilters = (() => {
  const { el, byId } = Dom
  const SEARCH_MS = 250
  const STATUS = Object.freeze(["pending", "assigned", "completed", "cancelled"])
  const CHOSEN = Object.freeze(["q", "driver", "clinic", "managed_by", "invoice_status"])
  const QUICK = Object.freeze({
    "": { label: "From today", days: (today) => [today, null] },
    today: { label: "Today", days: (today) => [today, today] },
    tomorrow: { label: "Tomorrow", days: (today) => [WallTime.plus(today, 1), WallTime.plus(today, 1)] },
    week: { label: "This week", days: (today) => [WallTime.monday(today), WallTime.plus(WallTime.monday(today), 6)] },
    next7: { label: "Next 7 days", days: (today) => [WallTime.plus(today, 1), WallTime.plus(today, 7)] },
    past: { label: "Past", days: (today) => [null, WallTime.plus(today, -1)] },
  })

  let onChange = () => {}
  let timer = 0

  /** @param {{onChange: () => void}} options onChange: the address says something else now */
  function init({ onChange: changed }) {
    onChange = changed
    const form = filterForm()
    byId("quickRanges").append(...Object.entries(QUICK).map(([name, { label }]) => quick(name, label)))
    form.addEventListener("submit", (event) => event.preventDefault())
    form.addEventListener("input", ({ target }) => {
      clearTimeout(timer)
      if (target.name === "q") timer = setTimeout(follow, SEARCH_MS)
    })
    form.addEventListener("change", ({ target }) => target.name !== "q" && follow())
    byId("clearFilters").addEventListener("click", clear)
    for (const one of form.querySelectorAll("[data-costs]")) one.hidden = !hasFeaturePermission("canViewCosts")
    show()
  }

  function filterForm() {
    return /** @type {HTMLFormElement} */ (byId("tripFilters"))
  }

  function quick(name, label) {
    return el("button", { type: "button", class: "segment", "data-when": name, onclick: () => go({ when: name, from: "", to: "" }) }, label)
  }

  /** @param {{drivers: any[], clinics: any[], booking_agents: any[]}} choices */
  function offer({ drivers, clinics, booking_agents: agents }) {
    choose("filterDriver", drivers)
    choose("filterClinic", clinics)
    choose("filterManager", agents.map(({ id, full_name: name }) => ({ id, name })))
    show()
  }

  function choose(id, list) {
    byId(id).append(...list.map((one) => el("option", { value: one.id }, one.name)))
  }

  // ── The address ──

  /** @returns {{view: "list"|"week", day: string|null, when: string, from: string, to: string, status: string[], archived: boolean, id: string|null,
   *   highlight: boolean, q: string, driver: string, clinic: string, managed_by: string, invoice_status: string}} */
  function wanted() {
    const asked = new URLSearchParams(location.search)
    const when = asked.get("when") ?? ""
    const day = (name) => (WallTime.isDay(asked.get(name)) ? asked.get(name) : "")
    const chosen = Object.fromEntries(CHOSEN.map((name) => [name, asked.get(name) ?? ""]))
    return /** @type {any} */ ({
      ...chosen,
      view: asked.get("view") === "week" ? "week" : "list",
      day: day("day") || null,
      when: Object.hasOwn(QUICK, when) ? when : "",
      from: day("from"),
      to: day("to"),
      status: STATUS.filter((one) => asked.getAll("status").includes(one)),
      archived: asked.get("archived") === "true",
      id: asked.get("id"),
      highlight: asked.get("highlight") === "true",
    })
  }

  /** @param {any} changes to what is wanted now @returns {string} the address that says so */
  function address(changes) {
    const { status, archived, highlight, view, ...rest } = { ...wanted(), highlight: false, ...changes }
    const asked = new URLSearchParams()
    if (view === "week") asked.set("view", view)
    for (const [name, value] of Object.entries(rest)) if (value) asked.set(name, String(value))
    for (const one of status) asked.append("status", one)
    if (archived) asked.set("archived", "true")
    if (highlight) asked.set("highlight", "true")
    return location.pathname + (asked.size > 0 ? `?${asked}` : "")
  }

  function go(changes) {
    history.replaceState(null, "", address(changes))
    show()
    onChange()
  }

  function follow() {
    const form = filterForm()
    const typed = new FormData(form)
    const text = (name) => String(typed.get(name) ?? "").trim()
    let [from, to] = [text("from"), text("to")].map((one) => (WallTime.isDay(one) ? one : ""))
    if (from && to && to < from) [from, to] = [to, from]
    const chosen = Object.fromEntries(CHOSEN.map((name) => [name, text(name)]))
    const when = from || to ? "" : wanted().when
    go({ ...chosen, from, to, when, status: typed.getAll("status").map(String), archived: typed.has("archived") })
  }

  function clear() {
    const nothing = Object.fromEntries([...CHOSEN, "when", "from", "to"].map((name) => [name, ""]))
    go({ ...nothing, status: [], archived: false })
    byId("filterSearch").focus()
  }

  /** Puts what the address says into the fields. */
  function show() {
    const now = wanted()
    const form = filterForm()
    for (const name of [...CHOSEN, "from", "to"]) keep(form.elements.namedItem(name), now[name])
    for (const box of form.querySelectorAll("[name=status]")) box.checked = now.status.includes(box.value)
    form.elements.namedItem("archived").checked = now.archived
    for (const button of byId("quickRanges").children) {
      button.setAttribute("aria-pressed", String(!now.from && !now.to && button.dataset.when === now.when))
    }
    for (const one of form.querySelectorAll("[data-only]")) one.hidden = one.dataset.only !== now.view
    if (now.clinic || now.managed_by || now.invoice_status || now.archived || now.from || now.to) byId("moreFilters").open = true
    byId("clearFilters").hidden = !isNarrowed()
  }

  /** A choice that the list does not offer (a driver who no longer drives) is kept all the same. */
  function keep(field, value) {
    if (field instanceof HTMLSelectElement && value && ![...field.options].some((one) => one.value === value)) {
      field.append(el("option", { value }, "As in the address"))
    }
    if (document.activeElement !== field || field.value.trim() !== value) field.value = value
  }

  // ── What it means ──

  function days() {
    const { from, to, when } = wanted()
    return from || to ? [from || null, to || null] : QUICK[when].days(WallTime.today())
  }

  /** Whether anything is asked for besides what is shown at first. */
  function isNarrowed() {
    const now = wanted()
    return Boolean(now.status.length || now.archived || now.when || now.from || now.to || CHOSEN.some((name) => now[name]))
  }

  /** @param {{after: string|null, limit: number}} page @returns {string} the question to the server; the past is asked for latest first */
  function question({ after, limit }) {
    const now = wanted()
    const [first, last] = days()
    const asked = new URLSearchParams({ limit: String(limit) })
    for (const name of CHOSEN) if (now[name]) asked.set(name, now[name])
    for (const one of now.status) asked.append("status", one)
    if (now.archived) asked.set("archived", "true")
    if (first) asked.set("first", first)
    if (last) asked.set("last", last)
    if (after) asked.set("after", after)
    if (first === null) return `/get-all-appointments?${asked}`
    asked.set("choices", "false")
    return `/get-appointments-page-data?${asked}`
  }

  return Object.freeze({ init, offer, wanted, address, show, clear, question, isNarrowed })
})()
