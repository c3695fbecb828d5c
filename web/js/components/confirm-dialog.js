"use strict"

/**
 * Asks before something that cannot simply be taken back: what will happen, to whom, and the one button that does it. It stays open until that
 * is done, and a refusal shows inside it.
 */
const ConfirmDialog = (() => {
  const { el, fill } = Dom

  /**
   * @param {{title: string, says: string[], action: string, danger?: boolean, act: () => Promise<any>}} question says: a sentence for each consequence
   * @returns {Promise<any>} what `act` came to, once the dialog is gone; null when it was not done
   */
  function ask({ title, says, action, danger = false, act }) {
    return new Promise((resolve) => {
      /** @type {any} */
      let answer = null
      const heading = el("h2", { id: Dom.uid("confirm") }, title)
      const place = el("div", {})
      const label = el("span", {}, action)
      const button = el("button", { type: "button", class: `btn ${danger ? "btn-danger" : "btn-primary"}`, onclick: go }, label)
      const cancel = el("button", { type: "button", class: "btn btn-quiet", onclick: () => dialog.close() }, "Cancel")
      const text = el("div", { class: "dialog-body", id: Dom.uid("confirm-says") }, says.map((one) => el("p", {}, one)), place)
      const dialog = el(
        "dialog",
        { class: "form-dialog proof-dialog", role: "alertdialog", "aria-labelledby": heading.id, "aria-describedby": text.id },
        el("div", { class: "confirm" }, el("header", { class: "dialog-head" }, heading), text, el("footer", { class: "dialog-foot" }, cancel, button)),
      )

      async function go() {
        if (button.getAttribute("aria-disabled") === "true") return
        button.setAttribute("aria-disabled", "true")
        label.textContent = "One moment…"
        fill(place)
        try {
          answer = await act()
          dialog.close()
        } catch (error) {
          fill(place, Dom.problem(error))
        } finally {
          button.removeAttribute("aria-disabled")
          label.textContent = action
        }
      }

      dialog.addEventListener("close", () => {
        dialog.remove()
        resolve(answer)
      })
      document.querySelector("main").append(dialog)
      dialog.showModal()
      cancel.focus() // so that a key pressed too often does nothing
    })
  }

  return Object.freeze({ ask })
})()
