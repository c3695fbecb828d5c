"use strict"

/**
 * The life of a card that shows one record beside a list: opened, read, drawn, told of tasks, read again, closed. What is shown stays until the next
 * answer, and an answer that comes too late is dropped. The focus stays where it was while the card is drawn anew: on what carries the same data-focus.
 */
const RecordCard = (() => {
  const { el, icon, fill, byId } = Dom
  const SOON_MS = 150
  /** So long a drawing is true whose record has not changed: some of what is shown depends on the time of day. */
  const TRUE_MS = 60_000
  const PAGE_TITLE = document.title

  /**
   * @param {{
   *   place: string, what: string, read: (id: string) => Promise<any>, draw: (data: any, note: any) => unknown[], onClose: () => void,
   *   heading?: string, named?: (data: any) => string, acts?: (data: any) => unknown, onRead?: (data: any) => void, keepsOffline?: boolean,
   * }} options
   *   place: the id of its element; what: "the client"; read: answers what draw is to have, with the record's `tasks`; draw: the title, then what is
   *   under it; heading: stands there until a title is known; named: goes before the page's title; acts: stand before Close; onRead: each answer, once
   *   it is drawn; keepsOffline: a lost connection is not told here, as the header shows it
   */
  function make({ place, what, read: ask, draw, onClose, heading, named, acts, onRead, keepsOffline = false }) {
    /** @type {string|null} */
    let shownId = null
    let asked = 0
    let soon = 0
    /** What was just done, as draw wants it. @type {any} */
    let note = null
    /** @type {any} */
    let data = null
    const NOTHING = Object.freeze({ text: "", note: null, at: 0 })
    /** What is drawn, record and failed reading as text; and when. */
    let drawn = NOTHING

    /**
     * @param {string} id
     * @param {{highlight?: boolean, focus?: boolean, said?: any}} [options] highlight: mark its failures, for who comes from a failure notice; said: what
     *   was just done, for draw
     */
    async function show(id, { highlight = false, focus = true, said = null } = {}) {
      shownId = id
      data = null
      note = said
      const card = byId(place)
      card.hidden = false
      card.classList.toggle("highlight", highlight)
      const loading = el("p", { class: "loading", role: "status" }, `Loading ${what}…`)
      lay(...(heading ? [el("h2", {}, heading), loading] : [loading]))
      if (focus) card.focus()
      await read()
    }

    /** What was just done with it, for draw; and the record is read again. key: the data-focus to go to. */
    async function saved(said, key = null) {
      note = said
      await read()
      if (key) find(key)?.focus()
    }

    function hide() {
      forget()
      byId(place).hidden = true
      document.title = PAGE_TITLE
    }

    /** Another card takes the place. */
    function forget() {
      shownId = data = note = null
      asked += 1
    }

    /** A task changed. One of this record is shown at once, and the rest read again shortly after. */
    function hear(task) {
      if (!shownId || task.entity_id !== shownId) return
      if (data) {
        const known = data.tasks.findIndex((one) => one.id === task.id)
        if (known >= 0) data.tasks[known] = { ...data.tasks[known], ...task }
        else data.tasks.unshift(task)
        drawData()
      }
      clearTimeout(soon)
      soon = setTimeout(read, SOON_MS)
    }

    /** Events may have been missed: looks again at what is shown. */
    function catchUp() {
      if (data) read()
    }

    /** Reads it again without losing what is shown. @returns {Promise<any|null>} what is known of it now; null when that was overtaken */
    async function read() {
      if (!shownId) return null
      asked += 1
      const mine = asked
      try {
        const answer = await ask(shownId)
        if (mine !== asked) return null
        data = answer
        if (textOf() !== drawn.text || note !== drawn.note || Date.now() - drawn.at > TRUE_MS) drawData()
        onRead?.(data)
      } catch (error) {
        if (mine !== asked) return null
        refused(error)
      }
      return data
    }

    // ── Drawing ──

    /** @param {any} [failed] why it could not be read again */
    function drawData(failed = null) {
      if (named) document.title = `${named(data)} · ${PAGE_TITLE}`
      const [title, ...content] = draw(data, note)
      lay(title, failed && problem(failed), ...content)
      drawn = { text: textOf(failed), note, at: Date.now() }
    }

    function textOf(failed = null) {
      return JSON.stringify([data, failed && [failed.status, failed.message]])
    }

    /** What is shown stays, unless it is gone or no longer theirs to see. */
    function refused(error) {
      if (data && ![403, 404].includes(error.status)) {
        if (keepsOffline && error.status === 0) return
        if (textOf(error) !== drawn.text || note !== drawn.note) drawData(error)
        return
      }
      data = null
      lay(heading && el("h2", {}, heading), problem(error))
    }

    function problem(error) {
      return Dom.problem(error, el("button", { type: "button", class: "btn btn-sm btn-soft", "data-focus": "again", onclick: () => read() }, "Try again"))
    }

    function lay(title, ...content) {
      const card = byId(place)
      drawn = NOTHING
      const close = el("button", { type: "button", class: "btn btn-sm btn-quiet", "data-focus": "close", onclick: () => onClose() }, icon("x-lg"), "Close")
      const head = el("header", { class: "client-head" }, el("div", {}, title), el("div", { class: "client-acts" }, data && acts?.(data), close))
      const opened = [...card.querySelectorAll("details[open] > summary[data-focus]")].map((one) => one.dataset.focus)
      KeepFocus.byName(
        card,
        () => {
          fill(card, head, ...content)
          for (const key of opened) find(key)?.closest("details")?.setAttribute("open", "")
        },
        () => card,
      )
    }

    function find(key) {
      return /** @type {HTMLElement|null} */ (byId(place).querySelector(`[data-focus="${CSS.escape(key)}"]`))
    }

    return Object.freeze({ show, saved, hide, forget, hear, catchUp, read, shows: (id) => id === shownId })
  }

  /** What was just done, in the server's words. */
  function said(text) {
    return el("div", { role: "status" }, text && el("p", { class: "saved" }, icon("check-lg"), el("span", {}, text)))
  }

  /** @param {[string, unknown][]} rows label and value; those without a value are left out */
  function facts(rows) {
    const known = rows.filter(([, value]) => value)
    return el("dl", { class: "record" }, known.map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value))))
  }

  return Object.freeze({ make, said, facts })
})()
