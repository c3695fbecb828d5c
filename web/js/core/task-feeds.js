"use strict"

/**
 * The two live ways to hear of tasks and trips. Each `listen` calls onReady once changes really arrive, onTask and onTrip for each change, and returns
 * when the server ends it in good order; it throws when it breaks. Neither replays what was missed: whoever shows something reads it after every
 * onReady.
 */

/** @typedef {{signal: AbortSignal, onReady: () => void, onTask: (task: any) => void, onTrip: (trip: any) => void}} Listener */

/** Our own server's event stream. */
class StreamFeed {
  static state = "stream"
  static silenceMs = 45_000

  /** Whether this server has the stream at all; a portal on another back end may not. */
  available = true

  /** @param {Listener} listener */
  async listen({ signal, onReady, onTask, onTrip }) {
    const response = await APIClient.fetch("/events", { base: "", signal, headers: { Accept: "text/event-stream" } })
    const isStream = (response.headers.get("content-type") ?? "").startsWith("text/event-stream")
    if (!response.ok || !response.body || !isStream) {
      this.available = ![404, 405, 501].includes(response.status) && !(response.ok && !isStream)
      throw new Error(`No event stream: HTTP ${response.status}`)
    }
    for await (const { event, data } of EventStream.read(response.body, { silenceMs: StreamFeed.silenceMs })) {
      if (event === "hello") onReady()
      if (event === "task") onTask(JSON.parse(data))
      if (event === "trip") onTrip(JSON.parse(data))
      if (event === "bye") {
        const { reason, message } = JSON.parse(data)
        // "idle", "ended": the session is over, and whoever looks at the page is told at once.
        if (reason === "idle") endSession(message || SessionManager.IDLE)
        if (reason === "ended") endSession(message || "Your session has ended. Please sign in again.")
        // "expired": the token this stream was opened with has ended; the next one opens with a fresh token.
        if (reason === "expired" && isTokenExpired()) await refreshAccessToken()
        return
      }
    }
  }
}

/** Supabase Realtime on the tables themselves; what a person may see is decided by row-level security with their own token. */
class RealtimeFeed {
  static state = "realtime"
  static SCRIPT = "vendor/supabase-js-2.119.1/supabase.js"
  /** @type {Promise<any>|null} */
  static #library = null

  static #policy = null

  /** Breaks in a row after which the event stream is used instead. */
  static patience = 3
  #breaks = 0

  /** @param {{url: string, key: string, userId: string, everybody: boolean, trips: boolean}} options trips: whether they see the office's trips */
  constructor({ url, key, userId, everybody, trips }) {
    this.url = url
    this.key = key
    this.trips = trips
    // One condition only: older servers take a filter of two for a single malformed value. The status is judged by the monitor.
    this.filter = everybody ? {} : { filter: `created_by=eq.${userId}` }
  }

  get available() {
    return this.#breaks < RealtimeFeed.patience
  }

  /** @param {Listener} listener */
  async listen({ signal, onReady, onTask, onTrip }) {
    let client = null
    const renewed = () => client?.realtime.setAuth(JWTManager.getAccessToken())
    try {
      const { createClient } = await RealtimeFeed.#load()
      client = createClient(this.url, this.key, {
        auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
        accessToken: async () => JWTManager.getAccessToken(),
      })
      document.addEventListener("auth:renewed", renewed)
      // Before subscribing, and awaited: a join without a token is accepted and then shows nothing, without an error.
      await client.realtime.setAuth(JWTManager.getAccessToken())
      await this.#subscribed(client, { signal, onReady, onTask, onTrip })
    } catch (error) {
      this.#breaks += 1
      throw error
    } finally {
      document.removeEventListener("auth:renewed", renewed)
      client?.realtime.disconnect()
    }
  }

  #subscribed(client, { signal, onReady, onTask, onTrip }) {
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => resolve(undefined), { once: true })
      const channel = client
        .channel("task-failures")
        .on("postgres_changes", { event: "*", schema: "public", table: "background_tasks", ...this.filter }, (change) => {
          if (change.new?.id) onTask(change.new)
        })
      if (this.trips) {
        // What the row says is left aside: pages read what they show, as with the event stream.
        channel.on("postgres_changes", { event: "*", schema: "public", table: "appointments" }, (change) => {
          const gone = change.eventType === "DELETE"
          onTrip({ id: (gone ? change.old : change.new).id, gone, days: null })
        })
      }
      channel
        // "SUBSCRIBED" only says the channel is joined; this message says that the database side listens, or why it does not.
        .on("system", {}, (message) => {
          if (message.extension !== "postgres_changes") return
          if (message.status !== "ok") return reject(new Error(message.message))
          this.#breaks = 0
          onReady()
        })
        .subscribe((status, error) => {
          if (status === "CHANNEL_ERROR" || status === "TIMED_OUT" || status === "CLOSED") reject(error ?? new Error(`Realtime: ${status}`))
        })
    })
  }

  static #load() {
    RealtimeFeed.#library ??= new Promise((resolve, reject) => {
      const script = document.createElement("script")
      script.onload = () => resolve(window.supabase)
      script.onerror = () => {
        RealtimeFeed.#library = null
        reject(new Error("The Realtime library could not be loaded"))
      }
      script.src = RealtimeFeed.#address()
      document.head.append(script)
    })
    return RealtimeFeed.#library
  }

  /** Trusted Types take a script's address from a policy only; this one knows a single address. A policy can be made once. */
  static #address() {
    if (!window.trustedTypes) return RealtimeFeed.SCRIPT
    RealtimeFeed.#policy ??= window.trustedTypes.createPolicy("backhaul-realtime", { createScriptURL: () => RealtimeFeed.SCRIPT })
    return RealtimeFeed.#policy.createScriptURL("")
  }
}
