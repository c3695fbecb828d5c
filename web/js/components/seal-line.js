"use strict"

/**
 * Whether the audit log is as it was sealed, in one line. The server walks the whole log for it, so it is asked once, and again only on a click.
 */
const SealLine = (() => {
  const { el, fill, icon } = Dom
  const PATIENCE_MS = 300_000

  /** @param {HTMLElement} root a live region */
  async function init(root) {
    root.dataset.state = "checking"
    fill(root, icon("hourglass-split"), el("p", {}, "Checking that nothing was changed since it was sealed…"))
    try {
      show(root, await APIClient.get("/audit-verify", { timeoutMs: PATIENCE_MS }))
    } catch (error) {
      root.dataset.state = "unknown"
      fill(root, icon("clock"), el("p", {}, `${error.what || error.message}.`, " ", el("span", { class: "quiet" }, error.todo)), again(root))
    }
  }

  /** @param {{well: boolean, message: string, unsealed: number, digest: string|null}} verdict */
  function show(root, { well, message, unsealed, digest }) {
    root.dataset.state = well ? "well" : "broken"
    const waiting = unsealed > 0 ? ` ${Format.count(unsealed, "newer one")} ${unsealed === 1 ? "waits" : "wait"} for the next seal.` : ""
    if (well) {
      fill(root, icon("shield-check"), el("p", {}, message, el("span", { class: "quiet" }, waiting)), digest && toKeep(digest))
    } else {
      fill(
        root,
        icon("exclamation-triangle-fill"),
        el(
          "div",
          {},
          el("p", { class: "problem-what" }, "The audit log is not as it was sealed"),
          el("p", {}, message),
          el("p", { class: "todo" }, "Change nothing, and tell whoever runs Backhaul at once."),
        ),
        again(root),
      )
    }
  }

  function toKeep(digest) {
    return el(
      "details",
      {},
      el("summary", {}, "Digest to keep"),
      el("code", {}, digest),
      el("p", { class: "help" }, "Noted elsewhere, it proves later that nothing before it was changed: backhaul audit verify --since-digest …"),
    )
  }

  function again(root) {
    function askAgain() {
      root.focus() // the button goes
      init(root)
    }
    return el("button", { type: "button", class: "btn btn-sm btn-quiet", onclick: askAgain }, icon("arrow-clockwise"), "Check again")
  }

  return Object.freeze({ init })
})()
