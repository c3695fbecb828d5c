"use strict"

/**
 * A list that is read from the server by pages: what is shown stays until the next answer, a failed read says so above it, "Load more" goes on
 * where the last page ended.
 */
class PageList {
  #options
  #loading = new AbortController()
  #next = null
  /** @type {any[]} */
  rows = []
  /** @type {any} the last answer of a first page */
  answer = null

  /**
   * @param {{path: () => string, rowsOf: (answer: any) => any[], what: string, draw: () => void, empty: () => Node, limit?: number}} options
   *   path: the endpoint with its query, but for `after` and `limit`; what: "the invoices"; draw: shows `rows`
   */
  constructor(options) {
    this.#options = { limit: 50, ...options }
  }

  get hasMore() {
    return this.#next !== null
  }

  /** Reads from the start. */
  async load() {
    this.stop()
    this.#loading = new AbortController()
    const { fill, byId, el } = Dom
    byId("list").setAttribute("aria-busy", "true")
    if (this.answer === null) fill(byId("listState"), el("p", { class: "loading", role: "status" }, `Loading ${this.#options.what}…`))
    await this.#ask(null)
  }

  async more() {
    const first = this.rows.length
    if (this.#next !== null) await this.#ask(this.#next)
    Dom.byId("list").querySelectorAll("tbody tr")[first]?.querySelector("a, input, button")?.focus()
  }

  /** Another list takes the place. */
  stop() {
    this.#loading.abort()
  }

  /** Shows again what is known. */
  draw() {
    const { fill, byId } = Dom
    const list = byId("list")
    const key = list.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.focus : null
    this.#options.draw()
    if (key) /** @type {HTMLElement|null} */ (list.querySelector(`[data-focus="${CSS.escape(key)}"]`))?.focus()
    byId("moreBtn").hidden = !this.hasMore
    fill(byId("listState"), this.rows.length === 0 && this.#options.empty())
  }

  async #ask(after) {
    const { signal } = this.#loading
    const { path, rowsOf, limit } = this.#options
    const query = new URLSearchParams({ limit: String(limit), ...(after && { after }) })
    try {
      const asked = path()
      const answer = await APIClient.get(`${asked}${asked.includes("?") ? "&" : "?"}${query}`, { signal })
      if (signal.aborted) return
      const rows = rowsOf(answer)
      this.rows = after ? [...this.rows, ...rows.filter((row) => !this.rows.some((one) => one.id === row.id))] : rows
      this.#next = answer.next ?? null
      if (!after) this.answer = answer
      this.draw()
    } catch (error) {
      if (signal.aborted) return
      const again = Dom.el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: () => this.load() }, "Try again")
      Dom.fill(Dom.byId("listState"), Dom.problem(error, again))
    } finally {
      if (!signal.aborted) Dom.byId("list").removeAttribute("aria-busy")
    }
  }
}
