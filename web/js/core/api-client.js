"use strict"

/**
 * Every call to the server goes through here: token, idempotency key, one renewal on 401 (but for a session that is over, which is ended at once),
 * and failures as what · why · what to do.
 */

/** A call that did not do what was asked. `message` is fit to be shown; `status` is 0 when no answer came at all. */
class APIError extends Error {
  /**
   * @param {string} message what failed
   * @param {number} [status] HTTP status; 0 for no connection or no answer in time
   * @param {any} [data] the answer's body, if there was one
   */
  constructor(message, status = 0, data = null) {
    super(message)
    this.name = "APIError"
    this.status = status
    this.data = data
    const body = data && typeof data === "object" ? data : {}
    this.what = body.what || message
    this.why = body.why || ""
    this.todo = body.todo || ""
    this.code = body.code || ""
    /** @type {Record<string, string>} the fault of each form field, by the field's name */
    this.fields = body.fields || {}
    /** @type {string[]} every fault found */
    this.errors = Array.isArray(body.errors) ? body.errors : []
    this.requestId = body.request_id || ""
  }

  /** Whether it may have been carried out all the same: then the same idempotency key must be used again. */
  get outcomeUnknown() {
    return this.status === 0 || this.status >= 500
  }

  /** Whether the session itself has ended (idle, signed out elsewhere, account disabled …): a renewed token would not help. */
  get sessionIsOver() {
    return this.status === 401 && this.code !== "session.other" && (this.code.startsWith("session.") || this.code === "disabled")
  }
}

class APIClient {
  static APIError = APIError
  static timeoutMs = 30_000
  static #base = "/webhook"

  // ── Public ──

  /** Where the office's verbs live, without a slash at the end. A page that talks to another back end calls this first. */
  static setBaseURL(url) {
    APIClient.#base = String(url).replace(/\/+$/, "")
  }

  /** @param {string} path "/get-clients" or "get-clients" @param {string} [base] "" for what lies beside the verbs: /events, /portal-config */
  static url(path, base = APIClient.#base) {
    return `${base}/${String(path).replace(/^\/+/, "")}`
  }

  static get(path, options = {}) {
    return APIClient.request(path, { ...options, method: "GET" })
  }

  static post(path, body = {}, options = {}) {
    return APIClient.request(path, { ...options, method: "POST", body })
  }

  static put(path, body = {}, options = {}) {
    return APIClient.request(path, { ...options, method: "PUT", body })
  }

  static delete(path, options = {}) {
    return APIClient.request(path, { ...options, method: "DELETE" })
  }

  /** @param {FormData} form sent as it is; the browser writes the content type */
  static upload(path, form, options = {}) {
    return APIClient.request(path, { ...options, method: "POST", body: form })
  }

  /**
   * Several calls at once; one that fails does not hide the others.
   * @param {{path: string, method?: string, body?: unknown}[]} calls
   * @returns {Promise<({ok: true, data: any} | {ok: false, error: APIError})[]>} in the order asked
   */
  static batch(calls) {
    return Promise.all(
      calls.map(({ path, ...options }) =>
        APIClient.request(path, options).then(
          (data) => ({ ok: /** @type {true} */ (true), data }),
          (error) => ({ ok: /** @type {false} */ (false), error }),
        ),
      ),
    )
  }

  /**
   * @param {string} path
   * @param {{method?: string, body?: unknown, headers?: Record<string, string>, idempotencyKey?: string, auth?: boolean, base?: string,
   *   signal?: AbortSignal, timeoutMs?: number, keepalive?: boolean}} [options] idempotencyKey: one per click; made here when a write names none
   *   keepalive: goes on when the page is left
   * @returns {Promise<any>} the JSON body, or the text of an answer that is not JSON
   * @throws {APIError} for every status but 2xx, for `success: false`, and when no answer came
   */
  static async request(path, options = {}) {
    const response = await APIClient.fetch(path, options)
    const body = await APIClient.#read(response)
    if (!response.ok || (body && typeof body === "object" && body.success === false)) throw APIClient.#failure(response, body)
    return body
  }

  /**
   * A file, whole.
   * @returns {Promise<{blob: Blob, name: string}>} name: as the server calls it
   * @throws {APIError} also when it was cut off on the way
   */
  static async download(path, options = {}) {
    const response = await APIClient.fetch(path, options)
    if (!response.ok) throw APIClient.#failure(response, await APIClient.#read(response))
    const blob = await response.blob().catch(() => {
      throw APIClient.#unreachable()
    })
    const name = /filename="([\w.-]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1] ?? "download"
    return { blob, name }
  }

  /** Like request, but hands over the Response itself: for the event stream. Only the wait for the headers is limited by timeoutMs. */
  static async fetch(path, options = {}) {
    const { auth = true, base, timeoutMs = APIClient.timeoutMs } = options
    const url = APIClient.url(path, base)
    const send = (token) => APIClient.#send(url, APIClient.#init(options, token), timeoutMs, options.signal)
    if (!auth) return send(null)

    const token = JWTManager.getAccessToken()
    const response = await send(token)
    if (response.status !== 401) return response
    if (JWTManager.getAccessToken() === token && (await endIfOver(response))) return response
    if (JWTManager.getAccessToken() === token && !(await refreshAccessToken())) {
      if (JWTManager.isAuthenticated()) throw APIClient.#unreachable()
      return response
    }
    const second = await send(JWTManager.getAccessToken())
    if (second.status === 401) endSession("Your session has ended. Please sign in again.")
    return second
  }

  /** A key for one click. Works without a secure context too, where crypto.randomUUID is missing. */
  static newKey() {
    if (crypto.randomUUID) return crypto.randomUUID()
    const bytes = crypto.getRandomValues(new Uint8Array(16))
    bytes[6] = (bytes[6] & 0x0f) | 0x40
    bytes[8] = (bytes[8] & 0x3f) | 0x80
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  }

  // ── Private ──

  static #init({ method = "GET", body, headers = {}, idempotencyKey, keepalive = false }, token) {
    const sent = new Headers({ Accept: "application/json", "X-Requested-With": "XMLHttpRequest", ...headers })
    if (token) sent.set("Authorization", `Bearer ${token}`)
    const isForm = body instanceof FormData
    if (!isForm) sent.set("Content-Type", "application/json")
    if (method !== "GET") {
      idempotencyKey ??= APIClient.newKey()
      sent.set("Idempotency-Key", idempotencyKey)
    }
    return {
      method,
      headers: sent,
      keepalive,
      cache: "no-store",
      body: body === undefined ? undefined : isForm ? body : JSON.stringify(body),
    }
  }

  static async #send(url, init, timeoutMs, signal) {
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(), timeoutMs)
    const giveUp = () => limit.abort()
    signal?.addEventListener("abort", giveUp, { once: true })
    if (signal?.aborted) giveUp()
    try {
      return await fetch(url, { ...init, signal: limit.signal })
    } catch (cause) {
      if (signal?.aborted) throw cause
      throw limit.signal.aborted ? APIClient.#late(timeoutMs) : APIClient.#unreachable()
    } finally {
      // A caller's signal stays tied: aborting it later must end the body of a stream too.
      clearTimeout(timer)
    }
  }

  static async #read(response) {
    if (response.status === 204) return null
    const text = await response.text().catch(() => {
      throw APIClient.#unreachable()
    })
    if (!(response.headers.get("content-type") ?? "").includes("application/json")) return text
    try {
      return JSON.parse(text)
    } catch {
      throw new APIError("The server's answer could not be read", response.status, {
        why: "It was cut short or is not what it claims to be.",
        todo: "Try again. If it stays, tell an administrator.",
      })
    }
  }

  static #failure(response, body) {
    if (body && typeof body === "object") {
      return new APIError(body.message || `The server refused this (HTTP ${response.status})`, response.status, body)
    }
    return new APIError(`The server answered HTTP ${response.status}`, response.status, {
      why: "The answer did not come from the office's program; something in front of it may be down.",
      todo: "Try again in a minute. If it stays, tell an administrator.",
    })
  }

  static #unreachable() {
    const offline = navigator.onLine === false
    return new APIError(offline ? "You are offline" : "The server cannot be reached", 0, {
      code: "offline",
      why: offline ? "This device has no network connection." : "It may be restarting, or the connection was interrupted.",
      todo: "What you typed is kept. Try again once the connection is back.",
    })
  }

  static #late(timeoutMs) {
    return new APIError("The server did not answer in time", 0, {
      code: "timeout",
      why: `No answer came within ${Math.round(timeoutMs / 1000)} seconds.`,
      todo: "What you typed is kept. Trying again is safe: nothing is saved twice.",
    })
  }
}

Object.assign(window, { APIClient, APIError })
