"use strict"

/**
 * Building the page from values. Nothing here, or in any script of ours, turns text into markup: a name like
 * `<img src=x onerror=alert(1)>` can only ever show as that text.
 *
 * Why plain scripts and not modules: the pages are edited with a text editor and read top to bottom, older pages of the portal find
 * TaskMonitor, APIClient and the others as globals, and the order of the script tags in a page is the whole dependency graph.
 * Every script is `defer`red, so the page is parsed before the first of them runs.
 */
const Dom = (() => {
  const SVG = "http://www.w3.org/2000/svg"
  const ICONS = "vendor/bootstrap-icons-1.13.2/sprite.svg"
  let ids = 0

  /**
   * A new element.
   * @param {string} tag
   * @param {Record<string, unknown>} [attributes] `onclick: function` listens; `class`, `data-…`, `aria-…` as in HTML; null and false are left out
   * @param {...unknown} children nodes and texts, nested as it suits; null and false are left out
   * @returns {HTMLElement}
   */
  function el(tag, attributes = {}, ...children) {
    const node = document.createElement(tag)
    set(node, attributes)
    node.append(...shown(children))
    return node
  }

  /** A new SVG element; the chart and the icons are drawn with it. */
  function svg(tag, attributes = {}, ...children) {
    const node = document.createElementNS(SVG, tag)
    set(node, attributes)
    node.append(...shown(children))
    return node
  }

  /** A decoration from the icon sprite: screen readers pass over it, the text beside it speaks. */
  function icon(name, extraClass = "") {
    return svg(
      "svg",
      { class: `icon ${extraClass}`.trim(), "aria-hidden": "true", focusable: "false" },
      svg("use", { href: `${ICONS}#${name}` }),
    )
  }

  function set(node, attributes) {
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue
      if (name.startsWith("on")) {
        if (typeof value !== "function") throw new TypeError(`${name} must be a function, never text`)
        node.addEventListener(name.slice(2), value)
      } else {
        node.setAttribute(name, value === true ? "" : String(value))
      }
    }
  }

  function shown(children) {
    return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== "")
  }

  /** Puts these children in the place of what `node` held. */
  function fill(node, ...children) {
    node.replaceChildren(...shown(children))
    return node
  }

  /** @param {string} id @returns {any} the element of that id; throws where the page lacks it, so that a slip in the page is seen at once */
  function byId(id) {
    const node = document.getElementById(id)
    if (!node) throw new Error(`This page has no element #${id}`)
    return node
  }

  /** An id nobody else uses, to tie a label or description to its field. */
  function uid(stem) {
    ids += 1
    return `${stem}-${ids}`
  }

  /** "3 min ago", kept current while it is on screen; the exact Halifax time is its tooltip. */
  function ago(moment) {
    const exact = Format.date(moment)
    if (!exact) return el("span", {}, Format.UNKNOWN)
    return el("time", { datetime: exact.toISOString(), title: Format.dateTime(moment), "data-ago": true }, Format.ago(moment))
  }

  /** What is open on top: while a dialog is, all else is out of reach, for the pointer and for screen readers alike. */
  function top() {
    return /** @type {HTMLElement} */ ([...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body)
  }

  /** Says something to screen readers without showing it. */
  function announce(text) {
    const region =
      document.getElementById("announcer") ??
      el("div", { id: "announcer", class: "visually-hidden", role: "status", "aria-live": "polite" })
    if (region.parentElement !== top()) top().append(region)
    region.textContent = text
  }

  /**
   * What went wrong, in three parts, with an optional way on.
   * @param {Error & {what?: string, why?: string, todo?: string}} error
   * @param {...Node} actions buttons or links
   */
  function problem(error, ...actions) {
    return el(
      "div",
      { class: "problem", role: "alert" },
      icon("exclamation-triangle-fill"),
      el(
        "div",
        { class: "problem-text" },
        el("p", { class: "problem-what" }, error.what || error.message),
        error.why && el("p", {}, error.why),
        error.todo && el("p", { class: "todo" }, error.todo),
        actions.length > 0 && el("div", { class: "problem-actions" }, ...actions),
      ),
    )
  }

  /** Puts a file where this browser keeps downloads. */
  function save({ blob, name }) {
    const address = URL.createObjectURL(blob)
    el("a", { href: address, download: name }).click()
    setTimeout(() => URL.revokeObjectURL(address), 60_000) // a slow disk may still be reading it
  }

  setInterval(() => {
    for (const node of document.querySelectorAll("time[data-ago]")) {
      const text = Format.ago(node.getAttribute("datetime"))
      if (node.textContent !== text) node.textContent = text
    }
  }, 30_000)

  return Object.freeze({ el, svg, icon, fill, byId, uid, ago, top, announce, problem, save })
})()
