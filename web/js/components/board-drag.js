"use strict"

/**
 * Dragging a trip to another row, with a mouse or a pen; a finger scrolls, and opens the dialog by a tap. While it is under way each row says
 * whether its driver is free. Escape lets go of it.
 */
const BoardDrag = (() => {
  const START_PX = 6
  const EDGE_PX = 70
  const SCROLL_PX = 14
  /** @type {{block: HTMLElement, pointer: number, x: number, y: number, ghost: HTMLElement|null, over: HTMLElement|null}|null} */
  let drag = null
  let swallowClick = false

  /** @type {{verdict: (tripId: string, driverId: string) => any, onDrop: (tripId: string, driverId: string|null) => void, onEnd: () => void}} */
  let heard = { verdict: () => null, onDrop: () => {}, onEnd: () => {} }
  /** @type {HTMLElement} */
  let root

  /** onEnd: it is over, wherever it was let go of */
  function init(board, listeners) {
    root = board
    heard = listeners
    root.addEventListener("pointerdown", grasp)
    root.addEventListener("pointermove", move)
    root.addEventListener("pointerup", drop)
    root.addEventListener("pointercancel", end)
    root.addEventListener("click", swallow, true)
    document.addEventListener("keydown", (event) => event.key === "Escape" && drag?.ghost && (event.stopPropagation(), end()), true)
  }

  /** While it is, nothing may be drawn anew. */
  function isUnderWay() {
    return Boolean(drag?.ghost)
  }

  function grasp(event) {
    swallowClick = false
    const block = event.target.closest("[data-movable]")
    if (!block || event.button !== 0 || event.pointerType === "touch" || block.getAttribute("aria-busy")) return
    drag = { block, pointer: event.pointerId, x: event.clientX, y: event.clientY, ghost: null, over: null }
  }

  function move(event) {
    if (!drag || event.pointerId !== drag.pointer) return
    if (!drag.ghost) {
      if (Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < START_PX) return
      begin(drag)
    }
    drag.ghost?.style.setProperty("transform", `translate(${event.clientX - drag.x}px, ${event.clientY - drag.y}px)`)
    const lane = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-driver-id]") ?? null
    if (lane !== drag.over) {
      drag.over?.classList.remove("over")
      drag.over = /** @type {HTMLElement|null} */ (lane)
      drag.over?.classList.add("over")
    }
    if (event.clientY > innerHeight - EDGE_PX) scrollBy(0, SCROLL_PX)
    else if (event.clientY < EDGE_PX) scrollBy(0, -SCROLL_PX)
  }

  function begin(started) {
    const { block, pointer } = started
    const box = block.getBoundingClientRect()
    const ghost = /** @type {HTMLElement} */ (block.cloneNode(true))
    ghost.classList.add("trip-ghost")
    ghost.removeAttribute("data-trip-id")
    ghost.setAttribute("aria-hidden", "true")
    for (const [name, value] of Object.entries({ left: box.left, top: box.top, width: Math.max(box.width, 130), height: box.height }))
      ghost.style.setProperty(name, `${value}px`)
    document.body.append(ghost)
    started.ghost = ghost
    swallowClick = true
    block.setPointerCapture(pointer)
    root.dataset.dragging = "true"
    for (const lane of lanes()) judge(lane, block.dataset.tripId ?? "")
  }

  function judge(lane, tripId) {
    const place = lane.querySelector(".lane-verdict")
    if (!place) return
    const { state, reasons, travel } = heard.verdict(tripId, lane.dataset.driverId ?? "")
    lane.dataset.verdict = state
    const word = { free: "Free", but: "Free, but", busy: "Not free" }[state]
    Dom.fill(place, Dom.el("strong", {}, word), [reasons.length > 0 && ` ${reasons.join(". ")}`, travel && ` · ${travel}`].filter(Boolean).join(""))
  }

  function drop(event) {
    if (!drag || event.pointerId !== drag.pointer) return
    const { block, ghost, over } = drag
    const from = block.closest("[data-driver-id]")
    end()
    if (ghost && over && over !== from) heard.onDrop(block.dataset.tripId ?? "", over.dataset.driverId || null)
  }

  function end() {
    const was = drag
    drag = null
    if (!was?.ghost) return
    was.ghost.remove()
    was.over?.classList.remove("over")
    if (was.block.hasPointerCapture(was.pointer)) was.block.releasePointerCapture(was.pointer)
    delete root.dataset.dragging
    for (const lane of lanes()) delete lane.dataset.verdict
    heard.onEnd()
  }

  /** The click that a browser makes of letting go is none; one that a key makes (detail 0) is. */
  function swallow(event) {
    if (!swallowClick || event.detail === 0) return
    swallowClick = false
    event.preventDefault()
    event.stopPropagation()
  }

  function lanes() {
    return /** @type {HTMLElement[]} */ ([...root.querySelectorAll("[data-driver-id]")])
  }

  return Object.freeze({ init, isUnderWay })
})()
