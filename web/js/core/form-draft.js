"use strict"

/**
 * Keeps what was typed into a form and not saved, when the session ends for inactivity or the page is lost, and gives it back to the same person
 * after they have signed in again. A form takes part by one attribute: data-draft="client" (one name for each thing that is typed).
 *
 * It lies in this tab's sessionStorage, without passwords or files, and only what differs from the form's own defaults (a page that fills a form
 * from the server sets `defaultValue` too). It goes when the form is reset, when it is discarded, when the person signs out themselves, and when
 * somebody else signs in.
 */
const FormDraft = (() => {
  const { el, icon } = Dom
  const SECRET = /password|passwd|secret|token|one-time-code|cc-/i

  /** What was kept of fields that are not there yet, by form: see restoreLate. @type {Map<string, Record<string, any>>} */
  const late = new Map()
  let owner = null
  let ended = false

  /** Gives back what was kept for the forms of this page, and keeps from now on. */
  function start() {
    if (owner) return
    owner = getCurrentUser()?.id ?? null
    for (const form of forms()) {
      const draft = SessionStore.draft(keyOf(form))
      if (draft?.owner === owner) restore(form, draft)
      form.addEventListener("reset", () => forget(form))
    }
  }

  // ── Keeping ──

  function keepAll() {
    if (owner && !ended) for (const form of forms()) keep(form)
  }

  function keep(form) {
    const here = fields(form)
    const typed = here.filter(isChanged).map((one) => [nameOf(one), isChoice(one) ? one.checked : one.value])
    const awaited = Object.entries(late.get(keyOf(form)) ?? {}).filter(([name]) => !here.some((one) => nameOf(one) === name))
    const values = Object.fromEntries([...awaited, ...typed])
    if (Object.keys(values).length === 0) sessionStorage.removeItem(keyOf(form))
    else sessionStorage.setItem(keyOf(form), JSON.stringify({ owner, values, open: Boolean(form.closest("dialog")?.open) }))
  }

  function forget(form) {
    sessionStorage.removeItem(keyOf(form))
    late.delete(keyOf(form))
    form.querySelector(".draft-note")?.remove()
  }

  // ── Giving back ──

  function restore(form, { values, open }) {
    const restored = put(form, values)
    const rest = Object.entries(values).filter(([name]) => !restored.includes(name))
    if (rest.length > 0) late.set(keyOf(form), Object.fromEntries(rest))
    if (restored.length === 0) return
    const dialog = form.closest("dialog")
    if (open && dialog && !dialog.open) dialog.showModal()
    const note = tell(form)
    if (open) note.focus() // Read aloud, and on top of the form.
  }

  /** Whether something typed into this form was given back, or waits for its fields. */
  function holds(form) {
    return late.has(keyOf(form)) || form.querySelector(".draft-note") !== null
  }

  /** Fields have come that were not there when the page began. What is kept for none of them is given up. */
  function restoreLate(form) {
    const values = late.get(keyOf(form))
    if (!values) return
    late.delete(keyOf(form))
    if (put(form, values).length > 0 && !form.querySelector(".draft-note")) tell(form)
  }

  /** @returns {string[]} the names of those that are there */
  function put(form, values) {
    const restored = []
    for (const one of [...form.elements]) {
      if (!isKept(one) || !Object.hasOwn(values, nameOf(one))) continue // asked now: a field before it may have brought it into use
      restored.push(nameOf(one))
      if (isChoice(one)) one.checked = values[nameOf(one)]
      else choose(one, values[nameOf(one)])
      one.closest("details")?.setAttribute("open", "")
      one.dispatchEvent(new Event("change", { bubbles: true }))
    }
    return restored
  }

  /** A list that is still to be filled from the server keeps what was chosen from it. */
  function choose(one, value) {
    if (one instanceof HTMLSelectElement && ![...one.options].some((option) => option.value === value)) one.append(new Option("As chosen", value))
    one.value = value
  }

  function tell(form) {
    const note = el(
      "div",
      { class: "notice draft-note", tabindex: -1 },
      icon("arrow-counterclockwise"),
      el("p", {}, "Restored what you had typed."),
      el("button", { type: "button", class: "btn btn-sm btn-quiet", onclick: () => discard(form) }, "Discard"),
    )
    const place = form.querySelector(".form-problems")
    if (place) place.before(note)
    else form.prepend(note)
    return note
  }

  function discard(form) {
    form.reset()
    fields(form)[0]?.focus()
  }

  // ── Forms and fields ──

  /** @returns {HTMLFormElement[]} */
  function forms() {
    return [...document.querySelectorAll("form[data-draft]")]
  }

  function keyOf(form) {
    return SessionStore.DRAFTS + form.dataset.draft
  }

  function fields(form) {
    return [...form.elements].filter(isKept)
  }

  /** A password stays one while it is shown as text; a field that is held while its form is sent can be typed into otherwise. */
  function isKept(one) {
    return (
      one.name &&
      (one.willValidate || one.hasAttribute("data-held")) &&
      !["password", "file", "hidden", "submit", "button", "reset"].includes(one.type) &&
      !SECRET.test(`${one.name} ${one.id} ${one.autocomplete}`)
    )
  }

  function nameOf(one) {
    return isChoice(one) ? `${one.name}=${one.value}` : one.name
  }

  function isChoice(one) {
    return one.type === "checkbox" || one.type === "radio"
  }

  function isChanged(one) {
    if (isChoice(one)) return one.checked !== one.defaultChecked
    if (one instanceof HTMLSelectElement) return one.value !== ([...one.options].find((option) => option.defaultSelected) ?? one.options[0])?.value
    return one.value !== one.defaultValue
  }

  document.addEventListener("auth:ready", start)
  document.addEventListener("visibilitychange", () => document.hidden && keepAll())
  window.addEventListener("pagehide", keepAll)
  document.addEventListener("auth:signed-out", ({ detail }) => {
    if (!detail.deliberate) keepAll()
    ended = true
  })

  return Object.freeze({ forget, holds, restoreLate })
})()
