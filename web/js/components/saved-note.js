"use strict"

/**
 * What was just saved of a driver, in the server's words: with a way to take it back, and the trips that are in the way, one by one.
 */
const SavedNote = (() => {
  const { el, icon } = Dom

  /**
   * The server's words; the trips they name stand below, to be opened one by one.
   * @param {any} answer @param {{text: string, act: () => Promise<any>}} [undo]
   */
  function of(answer, undo = undefined) {
    const text = (answer.warnings ?? []).reduce((words, warning) => words.replace(warning, "").trim(), answer.message)
    return { text, trips: answer.trips ?? [], undo }
  }

  /**
   * @param {ReturnType<typeof of>} note
   * @param {{onUndone: (answer: any) => void, said: (trips: number) => string}} options said: what is to become of the trips in the way
   */
  function build(note, { onUndone, said }) {
    return [
      el("p", { class: "saved" }, icon("check-lg"), el("span", {}, note.text), note.undo && undoButton(note.undo, onUndone)),
      note.trips.length > 0 && inTheWay(note.trips, said),
    ]
  }

  function undoButton({ text, act }, onUndone) {
    const button = el("button", { type: "button", class: "btn btn-sm btn-quiet", "data-focus": "undo", onclick: go }, icon("arrow-counterclockwise"), text)
    async function go() {
      if (button.getAttribute("aria-disabled") === "true") return
      button.setAttribute("aria-disabled", "true")
      try {
        onUndone(await act())
      } catch (error) {
        button.parentElement.after(Dom.problem(error))
      } finally {
        button.removeAttribute("aria-disabled")
      }
    }
    return button
  }

  function inTheWay(trips, said) {
    return el(
      "div",
      { class: "notice" },
      icon("exclamation-circle"),
      el(
        "div",
        {},
        el("p", {}, said(trips.length)),
        el(
          "ul",
          { class: "plain-list" },
          trips.map((trip) => el("li", {}, named(trip))),
        ),
      ),
    )
  }

  function named({ id, label }) {
    return hasPageAccess("appointments") ? el("a", { href: `appointments.html?id=${encodeURIComponent(id)}` }, label) : label
  }

  return Object.freeze({ of, build })
})()
