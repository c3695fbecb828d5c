"use strict"

/**
 * The office's settings. Only what was changed is sent, so that nothing a colleague saved meanwhile is lost; what was typed stays when the server
 * refuses, when another tab is shown, and over the end of a session (form-draft.js).
 */
const OfficeSettings = (() => {
  const { el, fill, icon, byId } = Dom
  /** How a setting is shown in its field, and read from it; the others as they are. */
  const SHOWN = Object.freeze({
    tax_rate: (value) => String(Number((value * 100).toFixed(3))),
    default_rate: (value) => (value === null ? "" : value.toFixed(2)),
    support_phone: (value) => Format.phone(value),
  })
  const SENT = Object.freeze({ tax_rate: (typed) => `${typed}%` })
  /** @type {Map<string, any>} the settings as read last, by key */
  let kept = new Map()
  let started = false

  /** Reads the settings anew; what is typed and not saved stays. */
  async function show() {
    if (!started) start()
    if (kept.size === 0) fill(byId("settingsState"), el("p", { class: "loading", role: "status" }, "Loading the settings…"))
    try {
      take((await APIClient.get("/get-office-settings")).settings)
      fill(byId("settingsState"))
    } catch (error) {
      fill(byId("settingsState"), Dom.problem(error, el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: show }, "Try again")))
    }
  }

  function start() {
    started = true
    const form = byId("settingsForm")
    FormSending.init(form, { read: body, send: (changed, once) => APIClient.post("/update-office-settings", changed, once), done: saved })
    form.addEventListener("input", () => {
      fill(byId("settingsSaved"))
      look()
    })
    form.addEventListener("change", ({ target }) => {
      if (target.type === "tel" && target.value.trim() !== "") target.value = Format.phone(target.value)
      look()
    })
    form.addEventListener("reset", () => setTimeout(look)) // the fields go back after this event
  }

  function take(settings) {
    kept = new Map(settings.map((one) => [one.key, one]))
    for (const field of fields()) {
      const one = kept.get(field.name)
      const untouched = !isChanged(field)
      if (field.type === "checkbox") {
        field.defaultChecked = one.value
        if (untouched) field.checked = one.value
      } else {
        field.defaultValue = shown(one.key, one.value)
        if (untouched) field.value = field.defaultValue
      }
      fill(byId(`${field.id}-help`), help(field, one))
    }
    byId("settingsForm").hidden = false
    look()
  }

  function shown(key, value) {
    return (SHOWN[key] ?? ((plain) => String(plain ?? "")))(value)
  }

  /** What it does, what is usual, and who chose it. */
  function help(field, one) {
    const text = field.type === "checkbox" ? (one.usual ? "on" : "off") : shown(one.key, one.usual)
    const usual = text === "" ? "" : `; usually ${text}${field.dataset.unit ?? ""}`
    const by = one.updated_by_name && [` Changed by ${one.updated_by_name}, `, Dom.ago(one.updated_at), "."]
    return [`${field.dataset.help ?? one.description}${usual}.`, by]
  }

  // ── What is typed and not saved ──

  function fields() {
    return /** @type {any[]} */ ([...byId("settingsForm").elements].filter((one) => one.name))
  }

  function isChanged(field) {
    if (field.type === "checkbox") return field.checked !== field.defaultChecked
    return field.value.trim() !== field.defaultValue.trim()
  }

  function look() {
    const names = fields()
      .filter(isChanged)
      .map((field) => field.dataset.label)
    byId("settingsUnsaved").textContent = names.length > 0 ? `Not saved yet: ${names.join(", ")}` : ""
    byId("discardSettingsBtn").hidden = names.length === 0
    byId("settingsFoot").classList.toggle("unsaved", names.length > 0)
    AdminTabs.unsaved("settings", names.length > 0)
  }

  function read(field) {
    return field.type === "checkbox" ? field.checked : (SENT[field.name] ?? String)(field.value.trim())
  }

  function body() {
    return Object.fromEntries(
      fields()
        .filter(isChanged)
        .map((field) => [field.name, read(field)]),
    )
  }

  async function saved(answer, sent) {
    FormDraft.forget(byId("settingsForm"))
    for (const field of fields()) {
      if (read(field) !== sent[field.name]) continue // as it was, or typed since
      if (field.type === "checkbox") field.defaultChecked = field.checked
      else field.defaultValue = field.value
    }
    fill(byId("settingsSaved"), el("p", { class: "saved" }, icon("check-lg"), el("span", {}, answer.message)))
    await show()
  }

  return Object.freeze({ show })
})()
