"use strict"

/**
 * "Are you still there?": the dialog before a session ends for inactivity, with the time that is left. Escape and "Stay signed in" are the same.
 * Screen readers hear of it when it opens, at each full minute, and half a minute and ten seconds before the end.
 */
const SessionWarning = (() => {
  const { el, svg, fill, icon } = Dom
  const SPOKEN_S = Object.freeze([10, 30])
  const LAST_MS = 60_000
  const ROUND = 2 * Math.PI * 44

  let dialog = null
  let spoken = 0
  let on = { onStay: async () => true, onLeave: () => {} }

  /**
   * Opens it, or moves it on.
   * @param {number} leftMs
   * @param {number} wholeMs the time from the first warning to the end
   * @param {{onStay: () => Promise<boolean>, onLeave: () => void}} answers onStay: whether the server has heard it
   */
  function show(leftMs, wholeMs, answers) {
    on = answers
    dialog ??= build()
    const seconds = Math.ceil(leftMs / 1_000)
    const opens = !dialog.open
    if (opens) {
      spoken = step(seconds)
      fill(part("problem"))
      part("words").textContent = `You will be signed out in ${inWords(seconds)}, to protect people's records.`
      dialog.showModal()
      part("stay").focus()
    }
    part("clock").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`
    part("ring").setAttribute("stroke-dashoffset", String(ROUND * (1 - Math.min(1, leftMs / wholeMs))))
    dialog.dataset.last = String(leftMs <= LAST_MS)
    if (seconds === 0 || step(seconds) >= spoken) return
    spoken = step(seconds)
    Dom.announce(`Signed out in ${inWords(seconds)}.`)
  }

  /** Takes it away: somebody is here, in this tab or another. The focus goes back where it was. */
  function hide() {
    if (isOpen()) dialog.close()
  }

  function isOpen() {
    return Boolean(dialog?.open)
  }

  // ── Building ──

  function build() {
    const node = /** @type {HTMLDialogElement} */ (
      el(
        "dialog",
        {
          id: "session-warning",
          class: "small-dialog session-warning",
          role: "alertdialog",
          "aria-labelledby": "session-warning-title",
          "aria-describedby": "session-warning-words",
        },
        el("h2", { id: "session-warning-title" }, "Are you still there?"),
        el(
          "div",
          { class: "countdown", role: "timer", "aria-label": "Time left" },
          svg(
            "svg",
            { viewBox: "0 0 96 96", "aria-hidden": "true", focusable: "false" },
            svg("circle", { cx: 48, cy: 48, r: 44, class: "countdown-ground" }),
            svg("circle", { id: "session-warning-ring", cx: 48, cy: 48, r: 44, class: "countdown-left", "stroke-dasharray": ROUND }),
          ),
          el("span", { id: "session-warning-clock", class: "figure" }),
        ),
        el("p", { id: "session-warning-words" }),
        el("div", { id: "session-warning-problem" }),
        el(
          "div",
          { class: "small-dialog-actions" },
          el("button", { type: "button", id: "session-warning-stay", class: "btn btn-primary", onclick: stay }, "Stay signed in"),
          el("button", { type: "button", class: "btn btn-quiet", onclick: () => on.onLeave() }, icon("box-arrow-right"), "Sign out"),
        ),
      )
    )
    node.addEventListener("keydown", keys)
    node.addEventListener("cancel", (event) => (event.preventDefault(), stay())) // Escape elsewhere, or a phone's way back
    document.body.append(node)
    return node
  }

  function part(name) {
    return Dom.byId(`session-warning-${name}`)
  }

  // ── Answering ──

  async function stay() {
    const button = part("stay")
    if (button.getAttribute("aria-disabled") === "true") return
    button.setAttribute("aria-disabled", "true")
    const heard = await on.onStay()
    button.removeAttribute("aria-disabled")
    if (!heard && isOpen()) {
      fill(part("problem"), Dom.problem(new APIError("The server could not be told", 0, { todo: "Try again before the time is over." })))
    }
  }

  function keys(event) {
    if (event.key === "Escape") {
      event.preventDefault()
      event.stopPropagation() // Nothing behind it is to close.
      stay()
    }
    if (event.key !== "Tab") return
    const [first, last] = [part("stay"), [...dialog.querySelectorAll("button")].at(-1)]
    const [from, to] = event.shiftKey ? [first, last] : [last, first]
    if (document.activeElement !== from && dialog.contains(document.activeElement) && document.activeElement !== dialog) return
    event.preventDefault()
    to.focus()
  }

  /** The time next above that is spoken of. */
  function step(seconds) {
    return SPOKEN_S.find((at) => seconds <= at) ?? Math.ceil(seconds / 60) * 60
  }

  /** "5 minutes", "1 minute", "30 seconds"; longer ones to the nearest minute. */
  function inWords(seconds) {
    return seconds >= 60 ? Format.count(Math.round(seconds / 60), "minute") : Format.count(seconds, "second")
  }

  return Object.freeze({ show, hide, isOpen })
})()
