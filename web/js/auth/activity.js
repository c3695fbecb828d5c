"use strict"

/**
 * What a person does, as against what a page does by itself: their input is noticed and stamped, in this tab (`rrts_last_activity`, as older pages
 * read it) and for all tabs of the session.
 *
 * A stamp is made by this device's clock, which may be put forward or back at any time. One from the future is therefore not believed, and one that
 * looks old is only a reason to ask the server.
 */
const Activity = (() => {
  const INPUT = Object.freeze(["mousedown", "mousemove", "keydown", "scroll", "click", "touchstart", "touchmove", "wheel", "input"])
  const STAMP_MS = 1_000
  const SLACK_MS = 2_000

  /** @returns {number|null} the last input in any tab (epoch ms); null where there is none, NaN where no stamp can be believed */
  function last() {
    const own = sessionStorage.getItem(SessionStore.LAST_ACTIVITY_KEY)
    const all = SessionStore.shared()
    const stamps = [own, all?.session === SessionStore.sessionId() ? all?.at : null].filter((one) => one !== null && one !== undefined)
    if (stamps.length === 0) return null
    const believed = stamps.map(Number).filter((at) => at > 0 && at <= Date.now() + SLACK_MS)
    return believed.length > 0 ? Math.max(...believed) : Number.NaN
  }

  /** @returns {number|null} how long ago that was (ms); null or NaN like last() */
  function idleMs() {
    const at = last()
    return at === null ? null : Math.max(0, Date.now() - at)
  }

  function stamp(at = Date.now()) {
    sessionStorage.setItem(SessionStore.LAST_ACTIVITY_KEY, String(Math.round(at)))
    if (SessionStore.sessionId()) SessionStore.share(Math.round(at))
  }

  function clear() {
    sessionStorage.removeItem(SessionStore.LAST_ACTIVITY_KEY)
  }

  /**
   * Calls `hear` for a person's own input, at most once a second.
   * @param {() => void} hear
   * @returns {() => void} ends it
   */
  function watch(hear) {
    const run = new AbortController()
    let heard = -STAMP_MS
    let pointer = ""
    const listen = (event) => {
      const now = performance.now()
      if (event.type === "mousemove") {
        // Where the page moves under a pointer that rests, some browsers tell of a mouse that moved.
        const where = `${event.screenX} ${event.screenY}`
        if (where === pointer) return
        pointer = where
      }
      // A page scrolls by itself when a list grows; a person's scrolling follows upon their hand.
      const byItself = event.type === "scroll" && now - heard > 2 * STAMP_MS
      if (!event.isTrusted || byItself || now - heard < STAMP_MS) return
      heard = now
      hear()
    }
    for (const name of INPUT) window.addEventListener(name, listen, { capture: true, passive: true, signal: run.signal })
    return () => run.abort()
  }

  return Object.freeze({ last, idleMs, stamp, clear, watch })
})()
