"use strict"

/**
 * "Dismissed: … Undo". Stays until something else is done: nobody has to be quick.
 */
const UndoLine = (() => {
  const { el, icon } = Dom

  /**
   * @param {{ids: string[], text: string}} dismissed
   * @param {() => void} onUndone called once it is taken back; a refusal is told by tasks:error
   */
  function build({ ids, text }, onUndone) {
    const button = el("button", { type: "button", class: "btn btn-sm btn-inverse", "data-action": "undo", onclick: undo }, icon("arrow-counterclockwise"), "Undo")
    async function undo() {
      if (button.getAttribute("aria-disabled") === "true") return
      button.setAttribute("aria-disabled", "true")
      const done = await TaskMonitor.undismiss(ids)
      button.removeAttribute("aria-disabled")
      if (!done) return
      Dom.announce("Taken back.")
      onUndone()
    }
    return el("div", { class: "undo-line" }, el("span", {}, text), button)
  }

  return Object.freeze({ build })
})()
