"use strict"

/**
 * A driver's own time off on their dashboard: entered, changed and withdrawn by themselves. Trips in the way are named; they stay the driver's
 * until the office gives them to somebody else.
 */
const OwnTimeOff = (() => {
  const { el, fill, byId } = Dom
  const NOBODY = "driver.unknown"
  /** @type {{driver: any, time_off: any[]}|null} */
  let shown = null
  let isStarted = false
  let asking = new AbortController()

  /** Fills #ownTimeOff. */
  function init() {
    byId("ownTimeOffCard").hidden = false
    read()
    if (isStarted) return
    isStarted = true
    TimeOffForm.init({ onSaved: (answer) => done(answer), own: true })
    byId("enterTimeOffBtn").addEventListener("click", () => TimeOffForm.open(shown.driver))
    document.addEventListener("visibilitychange", () => !document.hidden && read())
  }

  async function read() {
    if (!JWTManager.isAuthenticated()) return
    asking.abort()
    asking = new AbortController()
    const { signal } = asking
    try {
      const { data } = await APIClient.get("/get-driver-schedule", { signal })
      if (signal.aborted) return
      byId("enterTimeOffBtn").hidden = false
      if (JSON.stringify(data.time_off) !== JSON.stringify(shown?.time_off)) draw(data)
      shown = data
      const isHere = byId("ownTimeOffProblem").contains(document.activeElement)
      fill(byId("ownTimeOffProblem"))
      if (isHere) byId("enterTimeOffBtn").focus({ preventScroll: true })
    } catch (error) {
      if (!signal.aborted) showProblem(error)
    }
  }

  function draw({ driver, time_off: entries }) {
    const place = byId("ownTimeOff")
    const key = place.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.focus : null
    fill(place, TimeOff.list(driver, entries, { may: true, own: true, onDone: done }))
    if (key) (place.querySelector(`[data-focus="${CSS.escape(key)}"]`) ?? byId("enterTimeOffBtn")).focus({ preventScroll: true })
  }

  /** What is shown stays. An account that is nobody's yet has nothing to try again. */
  function showProblem(error) {
    const [place, problem] = [byId("ownTimeOff"), byId("ownTimeOffProblem")]
    if (place.querySelector(".loading")) fill(place)
    if (error.code === NOBODY) {
      shown = null
      fill(problem)
      byId("enterTimeOffBtn").hidden = true
      fill(place, el("p", { class: "quiet" }, "The office has not linked this account to a driver yet. Please ask them to."))
      return
    }
    const again = el("button", { type: "button", class: "btn btn-sm btn-soft", "data-focus": "again", onclick: read }, "Try again")
    KeepFocus.byName(problem, () => fill(problem, Dom.problem(error, again)))
  }

  async function done(answer, undo = undefined) {
    await read()
    fill(byId("ownTimeOffNote"), ...SavedNote.build(SavedNote.of(answer, undo), { onUndone: (again) => done(again), said: stays }))
    const next = undo ? byId("ownTimeOffNote").querySelector("[data-focus=undo]") : byId("enterTimeOffBtn")
    next?.focus({ preventScroll: true })
    byId("ownTimeOffNote").scrollIntoView({ block: "nearest" })
  }

  function stays(trips) {
    return trips === 1
      ? "You have a trip then. It stays yours until the office gives it to somebody else:"
      : `You have ${trips} trips then. They stay yours until the office gives them to somebody else:`
  }

  return Object.freeze({ init })
})()
