"use strict"

/**
 * The dialog in which a destination is added or corrected. What is typed and not saved is kept until the page is left. An edit is sent with
 * the version it was made from: whoever saved meanwhile is named, and nothing of theirs is lost.
 */
const DestinationForm = (() => {
  const { el, byId } = Dom
  const FIELDS = ["name", "address", "city", "province", "postal_code", "phone", "email", "notes"]
  const KINDS = Object.freeze({ main: "Main", billing: "Billing", scheduling: "Scheduling", other: "Other" })
  const NEW = "new"
  /** @type {any} the destination that is corrected; null while one is added */
  let editing = null
  /** What was typed and not saved, by destination. @type {Map<string, {values: any, version: number|null}>} */
  const drafts = new Map()
  let opened = ""
  let onSaved = (_destination, _message) => {}

  /** @param {{onSaved: (destination: any, message: string) => void}} options */
  function init(options) {
    ;({ onSaved } = options)
    const [dialog, form] = [byId("destinationModal"), byId("destinationForm")]
    FormSending.init(form, {
      read: () => (editing ? { id: editing.id, version: editing.version, ...values() } : { ...values(), active: true }),
      send: (body, once) => (editing ? APIClient.put("/update-destination", body, once) : APIClient.post("/add-destination", body, once)),
      done: saved,
    })
    form.addEventListener("change", ({ target }) => {
      if (target.value.trim() === "") return
      if (target.type === "tel") target.value = Format.phone(target.value)
      if (target.name === "postal_code") target.value = Format.postalCode(target.value)
    })
    byId("addContactBtn").addEventListener("click", () => addContact().querySelector("input").focus())
    dialog.addEventListener("close", keep)
  }

  /** @param {any} [destination] the one to correct; none to add one @param {{at?: string}} [options] the field to begin with */
  function open(destination = null, { at = "name" } = {}) {
    const draft = drafts.get(destination?.id ?? NEW)
    editing = destination && { ...destination, version: draft?.version ?? destination.version }
    fillIn(destination ?? { province: "NS", contacts: [] })
    opened = snapshot()
    if (draft) fillIn(draft.values)
    byId("destinationFormTitle").textContent = destination ? `Edit ${destination.name}` : "Add destination"
    FormSending.begin(byId("destinationForm"), destination ? "Save changes" : "Save destination")
    byId("destinationModal").showModal()
    byId(at).focus()
  }

  function fillIn(values) {
    for (const name of FIELDS) byId(name).value = values[name] ?? ""
    byId("phone").value = Format.phone(values.phone)
    for (const row of contactRows()) row.remove()
    for (const contact of values.contacts ?? []) addContact(contact)
  }

  // ── People to ask for ──

  function contactRows() {
    return [...byId("contacts").querySelectorAll(".contact")]
  }

  function addContact(contact = {}) {
    const row = el(
      "div",
      { class: "contact", role: "group", "aria-label": "A person to ask for" },
      field("Name", "contact_name", el("input", { class: "form-control", autocomplete: "off" }), contact.name),
      field("Phone", "contact_phone", el("input", { class: "form-control", type: "tel", autocomplete: "off" }), Format.phone(contact.phone)),
      field("E-mail", "contact_email", el("input", { class: "form-control", type: "email", autocomplete: "off" }), contact.email),
      field("For", "contact_type", kinds(), contact.type ?? "main"),
      el("button", { type: "button", class: "btn btn-quiet", onclick: () => remove(row) }, "Remove"),
    )
    byId("addContactBtn").before(row)
    return row
  }

  function field(label, name, input, value) {
    const id = Dom.uid(name)
    input.id = id
    input.setAttribute("name", name)
    input.setAttribute("data-label", `Contact ${label.toLowerCase()}`)
    input.value = value ?? ""
    return el("div", { class: "field" }, el("label", { for: id }, label), input)
  }

  function kinds() {
    return el(
      "select",
      { class: "form-select" },
      Object.entries(KINDS).map(([value, text]) => el("option", { value }, text)),
    )
  }

  function remove(row) {
    const next = row.nextElementSibling
    row.remove()
    ;(next?.querySelector("input") ?? byId("addContactBtn")).focus()
  }

  // ── What is typed and not saved ──

  function values() {
    const typed = Object.fromEntries(FIELDS.map((name) => [name, byId(name).value.trim()]))
    const contacts = contactRows().map((row) => {
      const [name, phone, email, type] = [...row.querySelectorAll("input, select")].map((input) => input.value.trim())
      return { name, phone, email, type }
    })
    return { ...typed, contacts: contacts.filter(({ name, phone, email }) => name || phone || email) }
  }

  function snapshot() {
    return JSON.stringify(values())
  }

  function keep() {
    const now = snapshot()
    if (now === opened) drafts.delete(editing?.id ?? NEW)
    else drafts.set(editing?.id ?? NEW, { values: JSON.parse(now), version: editing?.version ?? null })
  }

  function saved(answer) {
    opened = snapshot()
    byId("destinationModal").close()
    onSaved(answer.data.destination, answer.message)
  }

  return Object.freeze({ init, open })
})()
