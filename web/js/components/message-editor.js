"use strict"

/**
 * The words of one text message: what they may name as chips, what they come to for somebody who does not exist, and how many texts that is. The
 * server fills in and counts, as it does for a real one.
 */
const MessageEditor = (() => {
  const { el, fill, icon, byId } = Dom
  const PAUSE_MS = 250
  const NOTHING = "A message must say something"
  const NAMES = Object.freeze({
    client_first_name: "Client's first name",
    driver_first_name: "Driver's first name",
    date: "Day",
    pickup_time: "Pickup time",
    appointment_time: "Appointment time",
    pickup_town: "Town of the pickup",
    business_name: "Business name",
    support_phone: "Support phone",
    signature: "Signature",
  })
  /** @type {any} the template as it is saved */
  let template = null
  let onTyped = (_text) => {}
  let onSaved = (_template, _body) => true
  /** What was refused while another template was in the editor, by id: told when it is chosen again. @type {Map<string, () => void>} */
  const untold = new Map()
  let asked = 0
  let timer = 0

  // What was typed before the session ended is given back under this name, before anything is read.
  byId("messageForm").dataset.draft = `message-${new URLSearchParams(location.search).get("message") ?? "client-booked"}`

  /** @param {{onTyped: (text: string) => void, onSaved: (template: any, body: string) => boolean}} options */
  function init(options) {
    ;({ onTyped, onSaved } = options)
    const form = byId("messageForm")
    FormSending.init(form, {
      check: () => (typed().trim() === "" ? { body: NOTHING } : {}),
      read: () => ({ audience: template.audience, kind: template.kind, body: typed() }),
      send: (body, once) => APIClient.post("/update-message-template", body, once),
      done: saved,
      refused,
    })
    byId("messageBody").addEventListener("input", hear)
    form.addEventListener("reset", () => setTimeout(hear)) // what was restored is discarded; the field goes back after this event
    byId("usualWordsBtn").addEventListener("click", () => write(template.usual_body))
    byId("discardMessageBtn").addEventListener("click", () => write(template.body))
  }

  /** @param {string[]} names what a message may name */
  function chips(names) {
    fill(
      byId("messageChips"),
      names.map((name) =>
        el("button", { type: "button", class: "chip placeholder-chip", title: `{${name}}`, onclick: () => insert(`{${name}}`) }, icon("plus-lg"), NAMES[name] ?? name),
      ),
    )
  }

  /** @param {any} shown @param {string} id @param {string} when @param {string} title @param {string} [draft] what was typed and not saved */
  function open(shown, id, when, title, draft = undefined) {
    clearTimeout(timer) // what is asked of the words before is no matter of these
    asked += 1
    template = shown
    byId("messageForm").dataset.draft = `message-${id}`
    byId("messageTitle").textContent = title
    byId("messageWhen").textContent = when
    const field = byId("messageBody")
    field.defaultValue = shown.body
    field.value = draft ?? shown.body
    FormFaults.clear(byId("messageForm"))
    fill(byId("messageSaved"))
    if (draft === undefined) tell(shown.preview)
    else preview({ clears: !untold.has(id) })
    look()
    if (draft !== undefined) untold.get(id)?.()
    untold.delete(id)
  }

  /** @returns {string} what the field holds */
  function typed() {
    return byId("messageBody").value
  }

  /** @returns {string} whose draft was given back */
  function draftName() {
    return byId("messageForm").dataset.draft.replace("message-", "")
  }

  // ── Typing ──

  function insert(text) {
    const field = byId("messageBody")
    field.setRangeText(text, field.selectionStart, field.selectionEnd, "end")
    field.focus()
    hear()
  }

  function write(text) {
    byId("messageBody").value = text
    byId("messageBody").focus()
    hear()
  }

  function hear() {
    fill(byId("messageSaved"))
    onTyped(typed())
    look()
    clearTimeout(timer)
    timer = setTimeout(() => preview(), PAUSE_MS)
  }

  function look() {
    const changed = typed() !== template.body
    byId("messageUnsaved").hidden = !changed
    byId("discardMessageBtn").hidden = !changed
    byId("usualWordsBtn").hidden = typed() === template.usual_body
  }

  // ── What it comes to ──

  /** clears: with words that can be filled in, a fault of those before is over */
  async function preview({ clears = true } = {}) {
    asked += 1
    const mine = asked
    const { audience, kind } = template
    if (typed().trim() === "") return fault(NOTHING)
    try {
      const answer = await APIClient.post("/preview-message-template", { audience, kind, body: typed() })
      if (mine !== asked) return
      if (clears) FormFaults.clear(byId("messageForm"))
      tell(answer.preview)
    } catch (error) {
      if (mine !== asked) return
      fault(error.fields?.body ?? error.what ?? error.message)
    }
  }

  function tell({ text, length, count, left, odd }) {
    byId("messagePreview").textContent = text
    byId("messagePreview").classList.remove("stale")
    const dear = odd.length > 0 && [icon("info-circle"), `${Format.list(odd.map((one) => `“${one}”`))} ${odd.length > 1 ? "leave" : "leaves"} room for 70 characters in a text instead of 160.`]
    fill(
      byId("messageCost"),
      el("p", {}, el("strong", {}, Format.count(count, "text")), `, ${Format.count(length, "character")}; room for ${left} more in ${count > 1 ? "the last" : "it"}.`),
      dear && el("p", { class: "message-odd" }, dear),
      el("p", { class: "help" }, "A long name makes it longer. Each text is paid for."),
    )
  }

  function fault(text) {
    byId("messagePreview").classList.add("stale")
    fill(byId("messageCost"), el("p", { class: "fault" }, icon("exclamation-circle"), el("span", {}, text)))
  }

  function saved(answer, { body }) {
    if (!onSaved(answer.template, body)) return
    FormDraft.forget(byId("messageForm"))
    fill(byId("messageSaved"), el("p", { class: "saved" }, icon("check-lg"), el("span", {}, answer.message)))
  }

  /** A refusal stands with the words it is about, see form-sending.js. */
  function refused(error, show, { audience, kind }) {
    const id = `${audience}-${kind}`
    if (id === draftName()) return show()
    untold.set(id, show)
    Dom.announce(`The words you left were not saved. ${error.what ?? error.message}`)
  }

  return Object.freeze({ init, chips, open, typed, draftName })
})()
