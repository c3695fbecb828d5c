"use strict"

/**
 * Signing in and out, and renewing the access token meanwhile, by the refresh cookie that all tabs of this browser share.
 *
 * Renewal is single-flight: within a page by one shared promise, between tabs by a lock, and the tab that renews tells the others. A tab that signs
 * out tells them too. No path renews a session that has been inactive for too long: refreshAccessToken() itself looks first.
 */
{
  const NOTICE_KEY = "rrts_notice"
  const SIGN_IN_PAGE = "dashboard.html"
  const RENEW_BEFORE_MS = 5 * 60_000
  const RENEWAL_LOCK = "rrts-renewal"
  const HEARD_WITHIN_MS = 1_000
  const SOMEBODY_ELSE = "Somebody else has signed in on this browser."

  const JWT_API_ENDPOINTS = Object.freeze({
    get LOGIN() {
      return APIClient.url("/user-login")
    },
    get CHANGE_PASSWORD() {
      return APIClient.url("/change-password")
    },
    get REFRESH_TOKEN() {
      return APIClient.url("/refresh-token")
    },
  })

  /** How long each role may do nothing (ms): the server's own limits, empty until it has told them. */
  const SESSION_TIMEOUTS = {}
  const { LAST_ACTIVITY_KEY } = SessionStore

  // ── Who ──

  const { getCurrentUser } = SessionStore
  const JWTManager = Object.freeze({
    getCurrentUser,
    isAuthenticated: () => Boolean(SessionStore.accessToken() && getCurrentUser()?.id),
    getAccessToken: SessionStore.accessToken,
    clearTokens: SessionStore.clear,
  })

  /** @returns {Record<string, string>} headers for a call made by hand */
  function getAuthHeaders() {
    const token = JWTManager.getAccessToken()
    return { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) }
  }

  /** Whether the access token has less than five minutes left (or its end is unknown): time to renew. */
  function isTokenExpired() {
    return SessionStore.msLeft() < RENEW_BEFORE_MS
  }

  // ── Signing in ──

  /**
   * @param {string} username an e-mail address; trimmed and lower-cased
   * @param {string} password sent as typed
   * @returns {Promise<{username: string, changeTo: (fresh: string, confirmed: string) => Promise<void>}|null>} null: signed in. Otherwise somebody
   *   else made that password, and it opens nothing until `changeTo` has replaced it; that signs in. What it needs is in memory only.
   * @throws {APIError} with the server's words when it refuses; so does changeTo
   */
  async function signIn(username, password) {
    const who = { username: username.trim().toLowerCase(), password }
    const answer = await APIClient.post("/user-login", { ...who, use_cookie: true }, { auth: false })
    if (!answer.must_change_password) {
      admit(answer)
      return null
    }
    const headers = { Authorization: `Bearer ${answer.limited_token}` }
    return {
      username: answer.username ?? who.username,
      changeTo: async (newPassword, confirmPassword) => {
        const body = { currentPassword: password, newPassword, confirmPassword, use_cookie: true }
        const changed = await APIClient.post("/change-password", body, { auth: false, headers })
        admit({ ...changed, ...changed.user })
      },
    }
  }

  function admit(answer) {
    const role = answer.userRole || answer.role
    if (!answer.access_token || !Object.hasOwn(ROLE_PERMISSIONS, role ?? "")) {
      throw new APIError("You could not be signed in", 403, {
        why: "The server did not say which role you have.",
        todo: "Ask an administrator.",
      })
    }
    JWTManager.clearTokens()
    enter({ ...answer, role }, answer)
    Activity.stamp()
    const { access_token, expires_in, session_id } = answer
    SessionStore.tell("opened", { user: getCurrentUser()?.id, tokens: { access_token, expires_in, session_id } })
  }

  function enter(user, tokens) {
    SessionStore.keepUser(user)
    SessionStore.keepTokens(tokens)
    SessionStore.forgetDrafts(getCurrentUser()?.id)
    startTokenRefreshTimer()
    document.dispatchEvent(new CustomEvent("auth:signed-in", { detail: { user: getCurrentUser() } }))
  }

  /**
   * Takes up, in a tab that knows of nobody, the session of this browser's other tabs.
   * @returns {Promise<boolean>} whether somebody is signed in here now
   */
  async function resume() {
    if (!JWTManager.isAuthenticated() && SessionStore.shared() && !sessionStorage.getItem(NOTICE_KEY)) await refreshAccessToken()
    return JWTManager.isAuthenticated()
  }

  // ── Signing out ──

  let leaving = false

  /** The one way out: tells the server and the other tabs, clears this one, shows the sign-in page. Never asks, never fails. */
  async function logout() {
    if (leaving) return
    leaving = true
    SessionStore.tell("end", { reason: "You signed out in another tab.", deliberate: true })
    if (JWTManager.getAccessToken() || SessionStore.shared()) {
      const headers = getAuthHeaders() // Once the access token is over, the cookie says who it is.
      // The server may be away; the tab is cleared all the same, and the session ends there by itself.
      await APIClient.post("/logout", {}, { auth: false, headers, keepalive: true, timeoutMs: 2_000 }).catch(() => undefined)
    }
    leave("", { deliberate: true })
  }

  /** Clears this tab, and the others of this session, and shows the sign-in page with a reason; the page left is opened again after signing in. */
  function endSession(reason) {
    if (leaving) return
    SessionStore.tell("end", { reason, deliberate: false })
    leave(reason, { deliberate: false })
  }

  /** @param {string} reason @param {{deliberate: boolean}} how deliberate: then unsaved forms are not kept either */
  function leave(reason, { deliberate }) {
    leaving = true
    clearTimeout(renewalTimer)
    document.dispatchEvent(new CustomEvent("auth:signed-out", { detail: { deliberate } }))
    SessionStore.forget()
    JWTManager.clearTokens()
    if (deliberate) SessionStore.forgetDrafts()
    if (reason) sessionStorage.setItem(NOTICE_KEY, reason)
    location.assign(reason ? signInAddress() : SIGN_IN_PAGE)
  }

  function signInAddress(page = SIGN_IN_PAGE) {
    const here = location.pathname.split("/").pop() + location.search
    return here === "" || here.startsWith(SIGN_IN_PAGE) || here.startsWith("index.html") ? page : `${page}?next=${encodeURIComponent(here)}`
  }

  /** Why the last session ended, once. */
  function takeNotice() {
    const notice = sessionStorage.getItem(NOTICE_KEY)
    sessionStorage.removeItem(NOTICE_KEY)
    return notice ?? ""
  }

  /**
   * Reads a 401 for whether the session itself is over: then it is ended here, and renewing the token would be of no use.
   * @param {Response} response left unread
   * @returns {Promise<boolean>}
   */
  async function endIfOver(response) {
    const said = await response
      .clone()
      .json()
      .catch(() => ({})) // Not from our server: renewal will tell.
    const error = new APIError(said.message ?? "", response.status, said)
    if (error.sessionIsOver) endSession(error.message)
    return error.sessionIsOver
  }

  // ── The way in to every page ──

  /**
   * Lets the page go on, or sends the person to sign in. In this order: signed in at all (here, or in another tab), inactive for too long, the
   * token's age, renewal, then the timers. Announces `auth:ready`.
   * @param {string} [redirectUrl] the page to sign in on
   * @returns {Promise<boolean>} false when the page is about to be left
   */
  async function requireAuth(redirectUrl = SIGN_IN_PAGE) {
    if (!(await resume())) {
      JWTManager.clearTokens()
      location.replace(signInAddress(redirectUrl))
      return false
    }
    if (await checkInactivityTimeout()) return false
    // When the server cannot be asked the page goes on: it shows its own "cannot be reached", and typed text is not lost.
    if (isTokenExpired() && !(await refreshAccessToken()) && !JWTManager.isAuthenticated()) return false
    startTokenRefreshTimer()
    SessionManager.start()
    document.dispatchEvent(new CustomEvent("auth:ready"))
    return true
  }

  /** @returns {Promise<boolean>} whether the person had been inactive for too long; then the session has been ended */
  function checkInactivityTimeout() {
    return SessionManager.judge()
  }

  // ── Renewal ──

  let renewalTimer = 0
  /** @type {Promise<boolean>|null} */
  let renewing = null

  /** Renews five minutes before the token ends. This is not activity: a session that lies idle still ends. */
  function startTokenRefreshTimer() {
    clearTimeout(renewalTimer)
    const left = SessionStore.msLeft() - RENEW_BEFORE_MS
    renewalTimer = setTimeout(
      async () => {
        if (!JWTManager.isAuthenticated()) return
        if (await refreshAccessToken()) startTokenRefreshTimer()
        else if (JWTManager.isAuthenticated()) renewalTimer = setTimeout(startTokenRefreshTimer, 30_000)
      },
      Math.max(1_000, left),
    )
  }

  /**
   * @returns {Promise<boolean>} whether there is a fresh access token now. After false either the session has ended (the tab is cleared and on its
   *   way to the sign-in page) or the server could not be asked (the token is still there).
   */
  function refreshAccessToken() {
    renewing ??= unlessInactive(() => alone(renew)).finally(() => {
      renewing = null
    })
    return renewing
  }

  async function unlessInactive(work) {
    return JWTManager.isAuthenticated() && (await checkInactivityTimeout()) ? false : work()
  }

  async function renew(before) {
    if (leaving) return false
    const mine = SessionStore.accessToken()
    if (mine && mine !== before) return true // Another tab renewed while this one waited for the lock.
    const session_id = SessionStore.sessionId() ?? undefined
    try {
      // keepalive: a page that is left meanwhile would lose the next cookie, and the old one counts as stolen when it is used again.
      renewed(await APIClient.post("/refresh-token", { session_id }, { auth: false, keepalive: true }))
      return true
    } catch (error) {
      if (!error.outcomeUnknown && error.status !== 429) notRenewed(error)
      return false
    }
  }

  function renewed(answer) {
    const me = getCurrentUser()
    if (!me) {
      enter(answer.user, answer)
      return
    }
    if (answer.user && answer.user.id !== me.id) throw new APIError(SOMEBODY_ELSE, 401, { code: "session.other" })
    SessionStore.keepTokens(answer)
    const { access_token, expires_in } = answer
    SessionStore.tell("renewed", { tokens: { access_token, expires_in } })
  }

  function notRenewed(error) {
    const why = error.sessionIsOver && error.code !== "session.unknown" ? error.message : ""
    if (error.code === "session.other") {
      giveWay()
    } else if (getCurrentUser()) {
      endSession(why || "Your session has expired. Please login again.")
    } else {
      // Nobody was here yet: the page that asked shows the sign-in by itself.
      if (why) sessionStorage.setItem(NOTICE_KEY, why)
      SessionStore.forget(SessionStore.shared()?.session)
    }
  }

  /** The browser is somebody else's now: their session goes on, and nothing of this one is left for them. */
  function giveWay() {
    if (!leaving) leave(SOMEBODY_ELSE, { deliberate: true })
  }

  async function alone(work) {
    const before = SessionStore.accessToken()
    if (!navigator.locks) return work(before)
    const done = await navigator.locks.request(RENEWAL_LOCK, { ifAvailable: true }, (lock) => (lock ? work(before) : "another tab is at it"))
    if (typeof done === "boolean") return done
    return navigator.locks.request(RENEWAL_LOCK, async () => {
      await hearOfRenewal(before)
      return work(before)
    })
  }

  /** The lock may be free a moment before the other tab's word has come. */
  async function hearOfRenewal(before) {
    const until = performance.now() + HEARD_WITHIN_MS
    while (SessionStore.accessToken() === before && performance.now() < until) await new Promise((done) => setTimeout(done, 20))
  }

  /** fetch with the token, renewed once on 401; hands over the Response for the page to judge. For pages that do not use APIClient. */
  async function authenticatedFetch(url, options = {}) {
    const send = () => fetch(url, { ...options, headers: { ...getAuthHeaders(), ...options.headers } })
    const token = JWTManager.getAccessToken()
    const response = await send()
    if (response.status !== 401) return response
    if (JWTManager.getAccessToken() === token && ((await endIfOver(response)) || !(await refreshAccessToken()))) return response
    return send()
  }

  // ── What other tabs tell ──

  const isMine = (session) => session === SessionStore.sessionId()
  SessionStore.onTold("renewed", ({ session, tokens }) => isMine(session) && SessionStore.keepTokens(tokens))
  SessionStore.onTold("end", ({ session, reason, deliberate }) => isMine(session) && !leaving && leave(reason, { deliberate }))
  SessionStore.onTold("opened", ({ user, tokens }) => (user === getCurrentUser()?.id ? SessionStore.keepTokens(tokens) : giveWay()))

  for (const [name, value] of Object.entries({
    requireAuth,
    resume,
    checkInactivityTimeout,
    getCurrentUser,
    getAuthHeaders,
    startTokenRefreshTimer,
    refreshAccessToken,
    signIn,
    logout,
    endSession,
    endIfOver,
    takeNotice,
    isTokenExpired,
    authenticatedFetch,
    JWT_API_ENDPOINTS,
    JWTManager,
    SESSION_TIMEOUTS,
    LAST_ACTIVITY_KEY,
  })) {
    // Read-only: a page that puts its own `logout` in the place of this one would leave tokens behind.
    Object.defineProperty(window, name, { value, writable: false, configurable: false })
  }
}
