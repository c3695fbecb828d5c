"use strict"

/**
 * Who is signed in in this tab, with which tokens: in sessionStorage, under the names that older pages of the portal read.
 */
const SessionStore = (() => {
  const STORED = Object.freeze({
    user: "rrts_user",
    access: "rrts_access_token",
    refresh: "rrts_refresh_token",
    expiry: "rrts_token_expiry",
  })
  /** Everything a session leaves in this tab; signing out removes all of it. */
  const SESSION_KEYS = Object.freeze([
    ...Object.values(STORED),
    "rrts_limited_token",
    "rrts_temp_username",
    "rrts_temp_password",
    "rrts_last_activity",
    "rrts_seen_failures",
  ])

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

  /** @param {any} answer of user-login, with the role it names */
  function keepUser({ userId, id, username, role, fullName, email }) {
    sessionStorage.setItem(STORED.user, JSON.stringify({ id: String(userId ?? id), username, role, fullName, email }))
  }

  /** Announces `auth:renewed`: whoever holds a connection open passes the new token on. */
  function keepTokens({ access_token, refresh_token, expires_in = 900 }) {
    sessionStorage.setItem(STORED.access, access_token)
    if (refresh_token) sessionStorage.setItem(STORED.refresh, refresh_token)
    sessionStorage.setItem(STORED.expiry, String(Date.now() + expires_in * 1000))
    document.dispatchEvent(new CustomEvent("auth:renewed"))
  }

  /** How long the access token still serves; an unknown end counts as over. */
  function msLeft() {
    const expiry = Number(sessionStorage.getItem(STORED.expiry))
    return Number.isFinite(expiry) ? expiry - Date.now() : 0
  }

  function clear() {
    for (const key of SESSION_KEYS) sessionStorage.removeItem(key)
  }

  return Object.freeze({
    getCurrentUser,
    keepUser,
    keepTokens,
    accessToken: () => sessionStorage.getItem(STORED.access),
    refreshToken: () => sessionStorage.getItem(STORED.refresh),
    msLeft,
    clear,
  })
})()
