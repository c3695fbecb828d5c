"use strict"

/**
 * Keeps the focus where it was while something is drawn anew: on the same button or link, else at the same place. Without it an event from the server
 * would throw a keyboard user back to the top of the page. The page is not scrolled: whoever reads elsewhere did not ask for this drawing.
 */
const KeepFocus = (() => {
  /**
   * In a list of tasks: a task's node carries data-task-id, a button data-action.
   * @param {HTMLElement} root what is drawn anew
   * @param {() => void} draw
   * @param {() => HTMLElement} otherwise where the focus goes when nothing like it is left
   */
  function during(root, draw, otherwise) {
    const active = /** @type {HTMLElement} */ (document.activeElement)
    const was = root.contains(active) ? place(root, active) : null
    draw()
    if (was && !active.isConnected) (find(root, was) ?? otherwise()).focus({ preventScroll: true })
  }

  function place(root, active) {
    const item = active.closest("[data-task-id]")
    return { id: item?.dataset.taskId, at: item ? items(root).indexOf(item) : -1, action: active.dataset.action }
  }

  function find(root, { id, at, action }) {
    const button = action ? `[data-action="${CSS.escape(action)}"]` : "button"
    if (at < 0) return root.querySelector(button)
    const left = items(root)
    const item = left.find((one) => one.dataset.taskId === id) ?? left[Math.min(at, left.length - 1)]
    return item?.querySelector(button)
  }

  function items(root) {
    return [...root.querySelectorAll("[data-task-id]")]
  }

  /**
   * Where each link, button and summary has a name of its own, data-focus, or at least an address.
   * @param {HTMLElement} root what is drawn anew
   * @param {() => void} draw
   * @param {() => HTMLElement} [otherwise] where the focus goes when nothing of that name is left; else to what stands at its place
   */
  function byName(root, draw, otherwise) {
    const active = /** @type {HTMLElement} */ (document.activeElement)
    const at = stops(root).indexOf(active)
    draw()
    if (at < 0 || active.isConnected) return
    const left = stops(root)
    const same = left.find((one) => nameOf(one) === nameOf(active))
    ;(same ?? (otherwise ? otherwise() : left[Math.min(at, left.length - 1)]))?.focus({ preventScroll: true })
  }

  /** @returns {HTMLElement[]} */
  function stops(root) {
    return [...root.querySelectorAll("a[href], button, summary, [data-focus]")]
  }

  function nameOf(node) {
    return node.dataset.focus ?? node.getAttribute("href") ?? node.textContent
  }

  return Object.freeze({ during, byName })
})()
