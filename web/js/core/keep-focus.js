"use strict"

/**
 * Keeps the focus where it was while a list of tasks is drawn anew: on the same button, else at the same place in the list. Without it an event
 * from the server would throw a keyboard user back to the top of the page.
 *
 * A task's node carries data-task-id, a button data-action.
 */
const KeepFocus = (() => {
  /**
   * @param {HTMLElement} root what is drawn anew
   * @param {() => void} draw
   * @param {() => HTMLElement} otherwise where the focus goes when nothing like it is left
   */
  function during(root, draw, otherwise) {
    const active = /** @type {HTMLElement} */ (document.activeElement)
    const was = root.contains(active) ? place(root, active) : null
    draw()
    if (was && !active.isConnected) (find(root, was) ?? otherwise()).focus()
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

  return Object.freeze({ during })
})()
