"use strict"

/**
 * Arrow keys on the board: left and right within a row, up and down to the trip in the next row that lies nearest in time.
 */
const BoardKeys = (() => {
  /** @param {HTMLElement} root */
  function init(root) {
    root.addEventListener("keydown", (event) => {
      const from = /** @type {HTMLElement} */ (event.target).closest("[data-trip-id]")
      const to = from && !event.ctrlKey && !event.metaKey && !event.altKey ? next(root, from, event.key) : null
      if (!to) return
      event.preventDefault()
      to.focus()
    })
  }

  function next(root, from, key) {
    const beside = { ArrowLeft: -1, ArrowRight: 1 }[key]
    const below = { ArrowUp: -1, ArrowDown: 1 }[key]
    if (beside) {
      const row = tripsOf(from.closest("[data-driver-id]"))
      return row[row.indexOf(from) + beside] ?? null
    }
    if (!below) return null
    const rows = [...root.querySelectorAll("[data-driver-id]")].filter((one) => tripsOf(one).length > 0)
    const row = rows[rows.indexOf(from.closest("[data-driver-id]")) + below]
    return row ? tripsOf(row).reduce((best, one) => (away(one, from) < away(best, from) ? one : best)) : null
  }

  /** @returns {HTMLElement[]} in the order of their pickups */
  function tripsOf(row) {
    return [...row.querySelectorAll("[data-trip-id]")]
  }

  function away(one, other) {
    return Math.abs(one.getBoundingClientRect().left - other.getBoundingClientRect().left)
  }

  return Object.freeze({ init })
})()
