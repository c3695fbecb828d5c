"use strict"

/**
 * What the server says about this installation: which stand-ins are in use, whether Supabase Realtime is configured, the polling interval, and how
 * long each role may do nothing.
 */
const PortalConfig = (() => {
  const FALLBACK = Object.freeze({
    product: "Backhaul",
    supabaseUrl: null,
    supabaseAnonKey: null,
    pollMs: 30_000,
    inactivity: {},
    standIns: [],
    demo: null,
  })
  /** @type {Promise<object>|null} */
  let asked = null

  /**
   * Read once per page. A server that cannot be asked just now means the defaults, and the next caller asks again.
   * @returns {Promise<{product: string, supabaseUrl: string|null, supabaseAnonKey: string|null, pollMs: number,
   *   inactivity: Record<string, {limit_s: number, warn_s: number}>, standIns: string[], demo: {users: string[]}|null}>}
   */
  function load() {
    asked ??= APIClient.get("/portal-config", { base: "", auth: false })
      .then((answer) => (typeof answer === "object" ? { ...FALLBACK, ...answer } : FALLBACK))
      .catch(() => {
        asked = null
        return FALLBACK
      })
    return asked
  }

  return Object.freeze({ load })
})()
