"use strict"

/**
 * Ends a session that lies idle, after a warning, and keeps one alive whose person is here. The server has the last word on both: its clock, its
 * limits (`/portal-config`). What this tab and its stamps know only says when to ask.
 *
 * - Input is reported by how long it is past, at most every 15 s (or a tenth of a short limit); polling, streams and renewal never are.
 * - Before a warning and before the end the server is asked: a save counts there too, and a device's clock may have been put forward. Input in
 *   another tab is known by its stamp, and takes the warning away.
 * - Where it cannot be asked (no connection; the access token ended, and renewing it is what an idle session must not do) the stamps decide.
 * - Until the limits are known nobody has been inactive for too long: any guess might be shorter than the truth, and the server refuses anyway.
 */
const SessionManager = (() => {
  const IDLE = "Your session has expired due to inactivity. Please log in again."
  const TICK_MS = 10_000
  const REPORT_MS = 15_000
  const FRESH_MS = 5_000
  const PATIENCE_MS = 5_000
  const LONGEST_IDLE_MS = 7 * 86_400_000

  let run = new AbortController()
  let running = false
  let timer = 0
  let reportTimer = 0
  let reportedAt = -REPORT_MS
  /** @type {{leftMs: number, wall: number, mono: number}|null} the server's last word, as of the moment when it was asked */
  let word = null
  /** @type {{wall: number, mono: number}|null} the last input that the server has not been told of */
  let unreported = null
  /** @type {Promise<boolean>|null} */
  let asking = null
  /** @type {Record<string, number>} how long before the end to warn (ms), by role */
  const warnings = {}

  // ── Public ──

  /** Begins to watch. What an earlier page has left is judged before: see requireAuth. */
  function start() {
    if (running) return
    running = true
    run = new AbortController()
    const { signal } = run
    signal.addEventListener("abort", Activity.watch(onInput))
    for (const name of ["focus", "online", "pageshow"]) window.addEventListener(name, tick, { signal })
    window.addEventListener("pagehide", () => report({ keepalive: true }), { signal })
    document.addEventListener("visibilitychange", () => (document.hidden ? report({ keepalive: true }) : tick()), { signal })
    tick()
  }

  function stop() {
    running = false
    run.abort()
    clearTimeout(timer)
    clearTimeout(reportTimer)
    word = null
    unreported = null
    SessionWarning.hide()
  }

  /** How long this person may do nothing (ms); Infinity until the limits are known. */
  function getCurrentTimeout() {
    return getTimeoutForRole(getCurrentUser()?.role)
  }

  /** @param {string|null} [role] one that is missing or unknown gets the shortest limit */
  function getTimeoutForRole(role) {
    if (role && Object.hasOwn(SESSION_TIMEOUTS, role)) return SESSION_TIMEOUTS[role]
    return Math.min(...Object.values(SESSION_TIMEOUTS))
  }

  /** How long the session has to live if nothing is done (ms), as far as this tab knows; 0 when it is over. */
  function getTimeRemaining() {
    const last = Activity.last()
    if (word && !(last > word.wall)) return Math.max(0, word.leftMs - passedSince(word))
    return Math.max(0, getCurrentTimeout() - (Activity.idleMs() || 0))
  }

  /** Whether somebody is signed in here and watched over. */
  function isActive() {
    return running && getTimeRemaining() > 0
  }

  /** By the stamps alone. No stamp is a fresh sign-in; one from the future says nothing. @param {string} [role] */
  function isInactiveForTooLong(role = getCurrentUser()?.role) {
    return (Activity.idleMs() || 0) >= getTimeoutForRole(role)
  }

  /**
   * Judges what an earlier page, or the time a device slept, has left: ends the session if it lay idle for too long. Never renews a token.
   * @returns {Promise<boolean>} whether it has been ended
   */
  async function judge() {
    const idle = Activity.idleMs()
    if (idle === null || idle < FRESH_MS) return false
    await learnLimits()
    if (!Number.isNaN(idle) && !isInactiveForTooLong()) return false
    if (await question(false)) return false // Not ask(): this may be called while an ask() waits for a renewal.
    if (JWTManager.isAuthenticated() && !isInactiveForTooLong()) return false // The stamp says nothing: renewal will tell.
    endSession(IDLE)
    return true
  }

  // ── Input, and its report ──

  function onInput() {
    if (SessionWarning.isOpen()) return // There the answer counts, not a hand that brushes the mouse.
    if (getTimeRemaining() === 0) {
      tick()
      return
    }
    Activity.stamp()
    unreported = now()
    reportSoon()
  }

  function reportSoon() {
    if (!running) return
    clearTimeout(reportTimer)
    const wait = reportedAt + Math.min(REPORT_MS, getCurrentTimeout() / 10) - performance.now()
    if (wait <= 0) report()
    else reportTimer = setTimeout(report, wait)
  }

  /** @returns {Promise<boolean>} whether the server knows of all input now */
  async function report({ keepalive = false } = {}) {
    clearTimeout(reportTimer)
    const input = unreported
    if (!input) return true
    const asked = now()
    unreported = null
    reportedAt = asked.mono
    try {
      const idle_ms = Math.min(LONGEST_IDLE_MS, Math.round(passedSince(input)))
      hear(await APIClient.post("/update-activity", { idle_ms }, { keepalive, timeoutMs: PATIENCE_MS }), asked)
      return true
    } catch (error) {
      if (running && (error.outcomeUnknown || error.status === 429)) {
        unreported ??= input // Told with the next report, by how long it is past then.
        reportSoon()
      }
      return false
    }
  }

  // ── Asking the server ──

  /** @returns {Promise<boolean>} whether it answered that the session is alive; if it answered the contrary, the session has been ended */
  function ask({ mayRenew }) {
    asking ??= question(mayRenew).finally(() => {
      asking = null
    })
    return asking
  }

  async function question(mayRenew) {
    const asked = now()
    try {
      if (mayRenew && unreported) return await report()
      const asIs = { auth: false, headers: getAuthHeaders() }
      hear(await APIClient.get("/session-status", { timeoutMs: PATIENCE_MS, ...(mayRenew ? {} : asIs) }), asked)
      return true
    } catch (error) {
      if (error.sessionIsOver) endSession(error.message)
      return false
    }
  }

  /** Its answer counts from when it was asked: a device may have slept before it came. */
  function hear({ left_s, limit_s, warn_s }, asked) {
    if (!Number.isFinite(left_s) || !Number.isFinite(limit_s)) return
    word = { leftMs: left_s * 1000, ...asked }
    learnLimit(getCurrentUser()?.role, { limit_s, warn_s })
    const idle = Activity.idleMs()
    // What this device's clock has made of the stamps is put right.
    if (Number.isNaN(idle) || isInactiveForTooLong()) Activity.stamp(word.wall - Math.max(0, limit_s - left_s) * 1000)
    if (running) tick()
  }

  async function learnLimits() {
    const { inactivity } = await PortalConfig.load()
    for (const [role, limit] of Object.entries(inactivity ?? {})) learnLimit(role, limit)
  }

  function learnLimit(role, { limit_s, warn_s }) {
    if (!role) return
    SESSION_TIMEOUTS[role] = limit_s * 1000
    warnings[role] = warn_s * 1000
  }

  // ── Warning, and the end ──

  /** Looks how things stand; and again when that may have changed. A device that slept is found out within seconds of waking, or at a touch. */
  async function tick() {
    if (!running || asking) return
    if (getCurrentTimeout() === Infinity) await learnLimits()
    if (getTimeRemaining() <= warnMs() && (!SessionWarning.isOpen() || getTimeRemaining() === 0)) await makeSure()
    else if (Number.isNaN(Activity.idleMs()) || (Activity.idleMs() === null && !word)) await ask({ mayRenew: true })
    if (!running) return
    const left = getTimeRemaining()
    if (left > warnMs()) SessionWarning.hide()
    else SessionWarning.show(left, warnMs(), { onStay: stay, onLeave: logout })
    if (unreported) reportSoon()
    clearTimeout(timer)
    timer = setTimeout(tick, Math.max(100, left > warnMs() ? Math.min(TICK_MS, left - warnMs()) : left % 1_000 || 1_000))
  }

  async function makeSure() {
    const over = getTimeRemaining() === 0
    if (!(await ask({ mayRenew: !over })) && running && over && getTimeRemaining() === 0) endSession(IDLE)
  }

  function warnMs() {
    return warnings[getCurrentUser()?.role ?? ""] ?? 0
  }

  /** @returns {Promise<boolean>} whether the server has heard it */
  async function stay() {
    unreported = now()
    if (!(await report())) return false
    Activity.stamp()
    if (running) tick()
    return true
  }

  // ── Time ──

  function now() {
    return { wall: Date.now(), mono: performance.now() }
  }

  /** The longer of two clocks: one stands still while a device sleeps, the other may be put back. */
  function passedSince({ wall, mono }) {
    return Math.max(0, Date.now() - wall, performance.now() - mono)
  }

  document.addEventListener("auth:signed-out", stop)

  return Object.freeze({
    IDLE,
    start,
    stop,
    getCurrentTimeout,
    getTimeRemaining,
    isActive,
    logout: () => logout(),
    isInactiveForTooLong,
    getTimeoutForRole,
    clearLastActivity: Activity.clear,
    judge,
  })
})()
