"use strict"

/**
 * Signing in and out, and keeping the session alive meanwhile.
 *
 * Renewal is single-flight: within a page by one shared promise, between tabs by a lock, and a tab that renews tells its copies (a duplicated
 * tab holds the same refresh token, and using it late would end the session of both). A tab that signs out tells them too.
 */
{
  const NOTICE_KEY = "rrts_notice"
  const SIGN_IN_PAGE = "dashboard.html"
  const RENEW_BEFORE_MS = 5 * 60_000

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

  // ── Signing in and out ──

  /**
   * @param {string} username an e-mail address; trimmed and lower-cased
   * @param {string} password sent as typed
   * @throws {APIError} with the server's words when it refuses
   */
  async function signIn(username, password) {
    const answer = await APIClient.post("/user-login", { username: username.trim().toLowerCase(), password }, { auth: false })
    const role = answer.userRole || answer.role
    if (!answer.access_token || !Object.hasOwn(ROLE_PERMISSIONS, role ?? "")) {
      throw new APIError(answer.must_change_password ? "Your password must be changed first" : "You could not be signed in", 403, {
        why: answer.must_change_password ? "An administrator has reset it." : "The server did not say which role you have.",
        todo: "Ask an administrator.",
      })
    }
    JWTManager.clearTokens()
    SessionStore.keepUser({ ...answer, role })
    SessionStore.keepTokens(answer)
    startTokenRefreshTimer()
    document.dispatchEvent(new CustomEvent("auth:signed-in", { detail: { user: getCurrentUser() } }))
  }

  /** The one way out: tells the server, clears this tab, shows the sign-in page. Never asks, never fails. */
  async function logout() {
    const token = JWTManager.getAccessToken()
    const refresh = SessionStore.refreshToken()
    if (token) {
      // The server may be away; the tab is cleared all the same, and the session ends there by itself.
      await APIClient.post(
        "/logout",
        {},
        { auth: false, headers: { Authorization: `Bearer ${token}` }, keepalive: true, timeoutMs: 2_000 },
      ).catch(() => undefined)
      if (refresh) otherTabs?.postMessage({ ends: refresh })
    }
    endSession("")
  }

  /** Clears this tab and shows the sign-in page with a reason; the page left behind is opened again after signing in. */
  function endSession(reason) {
    clearTimeout(renewalTimer)
    JWTManager.clearTokens()
    document.dispatchEvent(new CustomEvent("auth:signed-out"))
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
   * Lets the page go on, or sends the person to sign in. In this order: signed in at all, then the token's age, then renewal, then the timer.
   * A check of inactivity belongs between the first two: a session that lay idle must not be renewed.
   * @param {string} [redirectUrl] the page to sign in on
   * @returns {Promise<boolean>} false when the page is about to be left
   */
  async function requireAuth(redirectUrl = SIGN_IN_PAGE) {
    if (!JWTManager.isAuthenticated()) {
      JWTManager.clearTokens()
      location.replace(signInAddress(redirectUrl))
      return false
    }
    // When the server cannot be asked the page goes on: it shows its own "cannot be reached", and typed text is not lost.
    if (isTokenExpired() && !(await refreshAccessToken()) && !JWTManager.isAuthenticated()) return false
    startTokenRefreshTimer()
    return true
  }

  // ── Renewal ──

  const otherTabs = "BroadcastChannel" in window ? new BroadcastChannel("rrts-session") : null
  otherTabs?.addEventListener("message", ({ data }) => {
    const mine = SessionStore.refreshToken()
    if (!mine) return
    if (data?.replaces === mine) SessionStore.keepTokens(data.tokens)
    if (data?.ends === mine) endSession("You signed out in another tab.")
  })

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
   *   way to the sign-in page) or the server could not be asked (the tokens are still there).
   */
  function refreshAccessToken() {
    renewing ??= alone(renew).finally(() => {
      renewing = null
    })
    return renewing
  }

  async function renew(before) {
    const mine = SessionStore.refreshToken()
    if (!mine) {
      endSession("Please sign in again.")
      return false
    }
    if (mine !== before) return true // Another tab renewed while this one waited for the lock.
    try {
      const answer = await APIClient.post("/refresh-token", { refresh_token: mine }, { auth: false })
      SessionStore.keepTokens(answer)
      otherTabs?.postMessage({
        replaces: mine,
        tokens: { access_token: answer.access_token, refresh_token: answer.refresh_token, expires_in: answer.expires_in },
      })
      return true
    } catch (error) {
      if (error.outcomeUnknown || error.status === 429) return false
      endSession(error.message || "Your session has expired. Please login again.")
      return false
    }
  }

  function alone(work) {
    const before = SessionStore.refreshToken()
    return navigator.locks ? navigator.locks.request("rrts-renewal", () => work(before)) : work(before)
  }

  /** fetch with the token, renewed once on 401; hands over the Response for the page to judge. For pages that do not use APIClient. */
  async function authenticatedFetch(url, options = {}) {
    const send = () => fetch(url, { ...options, headers: { ...getAuthHeaders(), ...options.headers } })
    const token = JWTManager.getAccessToken()
    const response = await send()
    if (response.status !== 401) return response
    if (JWTManager.getAccessToken() === token && !(await refreshAccessToken())) return response
    return send()
  }

  for (const [name, value] of Object.entries({
    requireAuth,
    getCurrentUser,
    getAuthHeaders,
    startTokenRefreshTimer,
    refreshAccessToken,
    signIn,
    logout,
    endSession,
    takeNotice,
    isTokenExpired,
    authenticatedFetch,
    JWT_API_ENDPOINTS,
    JWTManager,
  })) {
    // Read-only: a page that puts its own `logout` in the place of this one would leave tokens behind.
    Object.defineProperty(window, name, { value, writable: false, configurable: false })
  }
}
