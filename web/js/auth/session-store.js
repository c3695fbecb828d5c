"use strict"

/**
 * Who is signed in in this tab: in sessionStorage, under the names that older pages of the portal read. The refresh token is not among it: it is a
 * cookie that no script can read, and belongs to all tabs of this browser.
 *
 * What the tabs must know of each other lies in localStorage and is no secret: which session was opened here last, so that a new tab may resume it
 * (and a stranger's first visit asks nothing), and when its person last did something in any tab. What they tell each other goes over one channel.
 */
const SessionStore = (() => {
  const LAST_ACTIVITY_KEY = "rrts_last_activity"
  const SHARED_KEY = "backhaul-session"
  const DRAFTS = "rrts_draft_"
  const STORED = Object.freeze({
    user: "rrts_user",
    access: "rrts_access_token",
    expiry: "rrts_token_expiry",
    session: "rrts_session_id",
  })
  /** Everything a session leaves in this tab; signing out removes all of it. Some only older pages have written. */
  const SESSION_KEYS = Object.freeze([
    ...Object.values(STORED),
    "rrts_refresh_token",
    "rrts_limited_token",
    "rrts_temp_username",
    "rrts_temp_password",
    LAST_ACTIVITY_KEY,
    "rrts_seen_failures",
  ])

  // ── This tab ──

  /** @returns {{id: string, username: string, role: string, fullName: string, email: string}|null} null when nobody is signed in here */
  function getCurrentUser() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(STORED.user) ?? "null")
      if (!kept) return null
      return {
        id: String(kept.id ?? kept.user_id ?? ""),
        username: kept.username ?? "",
        role: kept.role ?? kept.user_role ?? "",
        fullName: kept.fullName || kept.full_name || kept.username || "",
        email: kept.email ?? kept.username ?? "",
      }
    } catch {
      return null // Unreadable means unknown: the caller sends the person to sign in.
    }
  }

  /** @param {any} answer of user-login, or the `user` of refresh-token and change-password */
  function keepUser({ userId, id, username, userRole, role, fullName, full_name, email }) {
    const user = { id: String(userId ?? id), username, role: userRole ?? role, fullName: fullName ?? full_name, email }
    sessionStorage.setItem(STORED.user, JSON.stringify(user))
  }

  /** Announces `auth:renewed`: whoever holds a connection open passes the new token on. */
  function keepTokens({ access_token, session_id = sessionId(), expires_in = 900 }) {
    sessionStorage.setItem(STORED.access, access_token)
    sessionStorage.setItem(STORED.expiry, String(Date.now() + expires_in * 1000))
    if (session_id) {
      sessionStorage.setItem(STORED.session, session_id)
      if (shared()?.session !== session_id) share(null)
    }
    document.dispatchEvent(new CustomEvent("auth:renewed"))
  }

  function sessionId() {
    return sessionStorage.getItem(STORED.session)
  }

  /** How long the access token still serves; an unknown end counts as over. */
  function msLeft() {
    const expiry = Number(sessionStorage.getItem(STORED.expiry))
    return Number.isFinite(expiry) ? expiry - Date.now() : 0
  }

  function clear() {
    for (const key of SESSION_KEYS) sessionStorage.removeItem(key)
  }

  // ── Unsaved forms: see core/form-draft.js ──

  /** @param {string|null} [owner] the id of a user whose own are kept */
  function forgetDrafts(owner = null) {
    for (const key of Object.keys(sessionStorage)) {
      if (key.startsWith(DRAFTS) && (owner === null || draft(key)?.owner !== owner)) sessionStorage.removeItem(key)
    }
  }

  function draft(key) {
    try {
      return JSON.parse(sessionStorage.getItem(key) ?? "null")
    } catch {
      return null // Unreadable: nobody's.
    }
  }

  // ── All tabs of this browser ──

  /** @returns {{session: string, at: number|null}|null} the session opened here last, and the last input in any of its tabs (epoch ms) */
  function shared() {
    try {
      return JSON.parse(localStorage.getItem(SHARED_KEY) ?? "null")
    } catch {
      return null // Unreadable: this browser has to ask for a sign-in again.
    }
  }

  /** @param {number|null} at the last input */
  function share(at) {
    localStorage.setItem(SHARED_KEY, JSON.stringify({ session: sessionId(), at }))
  }

  /** No tab resumes it any more. Another session opened here since stays. */
  function forget(session = sessionId()) {
    if (shared()?.session === session) localStorage.removeItem(SHARED_KEY)
  }

  const channel = "BroadcastChannel" in window ? new BroadcastChannel("rrts-session") : null

  /** Tells the other tabs. @param {string} about "renewed" | "opened" | "end" */
  function tell(about, what) {
    channel?.postMessage({ about, session: sessionId(), ...what })
  }

  /** @param {string} about @param {(what: any) => void} hear called with what another tab tells; `session` is the one it is in */
  function onTold(about, hear) {
    channel?.addEventListener("message", ({ data }) => data?.about === about && sessionId() && hear(data))
  }

  return Object.freeze({
    LAST_ACTIVITY_KEY,
    SESSION_KEYS,
    DRAFTS,
    getCurrentUser,
    keepUser,
    keepTokens,
    accessToken: () => sessionStorage.getItem(STORED.access),
    sessionId,
    msLeft,
    clear,
    forgetDrafts,
    draft,
    shared,
    share,
    forget,
    tell,
    onTold,
  })
})()
