"use strict"

/**
 * A client found by typing: name, K number, phone or town. What is chosen stands in the field as "Jane Roe (K1234567)", and the number in it is
 * what counts, so that a restored draft knows its client too.
 */
class ClientChooser {
  static #SEARCH_MS = 200
  static #MOST = 8

  #input
  #list
  #onChoose
  /** @type {any[]} */
  #found = []
  #active = -1
  #timer = 0
  #asking = new AbortController()
  /** Of whom the page was told last. */
  #told = ""

  /**
   * @param {HTMLInputElement} input @param {HTMLElement} list an empty list beside it
   * @param {(client: any|null) => void} onChoose hears the client as get-client answers them; null while none is chosen
   */
  constructor(input, list, onChoose) {
    this.#input = input
    this.#list = list
    this.#onChoose = onChoose
    input.addEventListener("input", () => this.#typed())
    input.addEventListener("keydown", (event) => this.#key(event))
    input.addEventListener("blur", () => this.#left())
    input.addEventListener("change", () => this.#resolve())
    list.addEventListener("mousedown", (event) => event.preventDefault()) // the field keeps the focus
  }

  /** @returns {string} the K number in the field; empty while nobody is chosen */
  get knumber() {
    return (/\bK\d{7}\b/i.exec(this.#input.value)?.[0] ?? "").toUpperCase()
  }

  /** Shows a client that is known already, without telling anybody. */
  show(name, knumber) {
    this.#close()
    this.#told = knumber ?? ""
    this.#input.value = knumber && name ? `${name} (${knumber})` : knumber
  }

  // ── Searching ──

  #typed() {
    clearTimeout(this.#timer)
    this.#asking.abort()
    const q = this.#input.value.trim()
    if (this.#told && this.knumber !== this.#told) {
      this.#told = ""
      this.#onChoose(null)
    }
    if (q.length < 2) return this.#close()
    this.#timer = setTimeout(() => this.#search(q), ClientChooser.#SEARCH_MS)
  }

  async #search(q) {
    this.#asking = new AbortController()
    const { signal } = this.#asking
    try {
      const answer = await APIClient.get(`/get-clients?${new URLSearchParams({ q, limit: String(ClientChooser.#MOST) })}`, { signal })
      if (signal.aborted || document.activeElement !== this.#input) return
      this.#found = answer.clients.filter((client) => client.status !== "archived")
      this.#draw(this.#found.length === 0 ? "Nobody like that" : null)
    } catch (error) {
      if (!signal.aborted) this.#draw(`${error.what}. ${error.todo}`)
    }
  }

  #draw(note) {
    const { el, fill } = Dom
    this.#active = this.#found.length === 1 ? 0 : -1
    fill(
      this.#list,
      note && el("li", { class: "quiet chooser-note", role: "presentation" }, note),
      this.#found.map((client, n) =>
        el(
          "li",
          { id: `${this.#list.id}-${n}`, role: "option", "aria-selected": String(n === this.#active), onclick: () => this.#choose(client) },
          el("strong", {}, ClientRow.fullName(client)),
          el("span", { class: "k-number" }, client.knumber),
          el("span", { class: "quiet small" }, [client.city, Format.phone(client.phone)].filter(Boolean).join(" · ")),
        ),
      ),
    )
    this.#list.hidden = false
    this.#input.setAttribute("aria-expanded", "true")
    this.#point()
    if (note) Dom.announce(note)
    else Dom.announce(`${Format.count(this.#found.length, "client")} found`)
  }

  #close() {
    this.#found = []
    this.#active = -1
    this.#list.hidden = true
    this.#input.setAttribute("aria-expanded", "false")
    this.#input.removeAttribute("aria-activedescendant")
  }

  // ── Choosing ──

  #key(event) {
    if (this.#list.hidden) return
    const steps = { ArrowDown: 1, ArrowUp: -1 }
    if (Object.hasOwn(steps, event.key) && this.#found.length > 0) {
      event.preventDefault()
      const many = this.#found.length
      this.#active = this.#active < 0 && event.key === "ArrowUp" ? many - 1 : (this.#active + steps[event.key] + many) % many
      this.#point()
    } else if (event.key === "Enter" && this.#active >= 0) {
      event.preventDefault()
      this.#choose(this.#found[this.#active])
    } else if (event.key === "Escape") {
      event.preventDefault() // the list alone, not the dialog around it
      event.stopPropagation()
      this.#close()
    }
  }

  #point() {
    const options = [...this.#list.querySelectorAll("[role=option]")]
    options.forEach((one, n) => one.setAttribute("aria-selected", String(n === this.#active)))
    const on = options[this.#active]
    if (on) this.#input.setAttribute("aria-activedescendant", on.id)
    else this.#input.removeAttribute("aria-activedescendant")
    on?.scrollIntoView({ block: "nearest" })
  }

  /** Whoever leaves the field with one client found means that one. */
  #left() {
    if (!this.#list.hidden && this.#found.length === 1 && !this.knumber) this.#choose(this.#found[0])
    else this.#close()
  }

  #choose(client) {
    this.show(`${client.firstname} ${client.lastname}`, client.knumber)
    this.#input.removeAttribute("aria-invalid")
    this.#tell(`id=${encodeURIComponent(client.id)}`)
  }

  /** A number that was typed or restored whole. */
  #resolve() {
    if (this.knumber && this.knumber !== this.#told) this.#tell(`knumber=${encodeURIComponent(this.knumber)}`)
  }

  async #tell(which) {
    try {
      const answer = await APIClient.get(`/get-client?${which}`)
      if (answer.client.knumber !== this.knumber) return
      this.show(`${answer.client.firstname} ${answer.client.lastname}`, answer.client.knumber)
      this.#onChoose(answer.client)
    } catch {
      this.#onChoose(null) // an unknown number is told at the field when the trip is saved
    }
  }
}

window.ClientChooser = ClientChooser
