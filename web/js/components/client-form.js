"use strict"

/**
 * The dialog in which a client is added or corrected. The person waits for the save alone; what follows happens in the background, and only its
 * failure is spoken of.
 *
 * One idempotency key per click. It is used again only when the same form is sent once more because nobody knows whether the first arrived.
 * An edit is sent with the version it was made from: whoever saved meanwhile is named, and nothing of theirs is lost.
 */
const ClientForm = (() => {
  const { el, byId } = Dom

  const TIDY = Object.freeze({
    kNumber: (typed) => typed.trim().toUpperCase(),
    phone: Format.phone,
    emergencyContactNumber: Format.phone,
    email: (typed) => typed.trim().toLowerCase(),
    postalCode: Format.postalCode,
    secondary_postal_code: Format.postalCode,
  })
  // The form's names, and the record's where they differ.
  const RECORD = Object.freeze({
    kNumber: "knumber",
    firstName: "firstname",
    lastName: "lastname",
    civicAddress: "civicaddress",
    province: "prov",
    postalCode: "postalcode",
    appointmentLength: "appointment_length",
    emergencyContactName: "emergency_contact_name",
    emergencyContactNumber: "emergency_contact_number",
    primaryClinicId: "primary_clinic_id",
  })
  const NEW = "new"
  let unsure = { body: "", key: "" }
  /** @type {any} the client that is corrected; null while one is added */
  let editing = null
  /** What was typed and not saved, by client: {typed, version}. @type {Map<string, {typed: [string, string][], version: number|null}>} */
  const drafts = new Map()
  /** The form as it was opened, to tell whether anything was typed. */
  let opened = ""
  /** @type {any[]} */
  let clinics = []
  let onSaved = (_id, _message, _edited) => {}

  /** @param {{onSaved: (clientId: string, message: string, edited: boolean) => void}} options */
  function init({ onSaved: saved }) {
    onSaved = saved
    const dialog = byId("addClientModal")
    const form = byId("addClientForm")
    FormFaults.watch(form)
    form.addEventListener("submit", (event) => {
      event.preventDefault()
      save(form, dialog)
    })
    form.addEventListener("change", ({ target }) => {
      if (Object.hasOwn(TIDY, target.name) && target.value.trim() !== "") target.value = TIDY[target.name](target.value)
    })
    for (const button of dialog.querySelectorAll("[data-close]")) button.addEventListener("click", () => dialog.close())
    dialog.addEventListener("close", () => keep(form))
  }

  /** A new client. What was typed before and not saved is still there. */
  async function open() {
    begin(null)
    byId("kNumber").focus()
    await offerClinics()
  }

  /**
   * A correction of this client, as get-client answers it.
   * @param {any} client
   * @param {{at?: string}} [options] at: the field to begin with
   */
  async function edit(client, { at = "firstName" } = {}) {
    begin(client)
    byId(at).focus()
    await offerClinics()
  }

  function begin(client) {
    const form = byId("addClientForm")
    if (client) lay(form, client)
    FormFaults.clear(form)
    byId("addClientTitle").textContent = client ? `Edit ${client.firstname} ${client.lastname}` : "Add client"
    busy(byId("saveClientBtn"), false)
    byId("addClientModal").showModal()
  }

  /** Puts a client into the form, or what was typed of a new one. Only a new one is kept beyond the page: see form-draft.js. */
  function lay(form, client) {
    if (!editing) drafts.set(NEW, { typed: typedIn(form), version: null })
    form.removeAttribute("data-draft") // before the reset, which forgets what is kept under that name
    const draft = drafts.get(client?.id ?? NEW)
    editing = client && { ...client, version: draft?.version ?? client.version }
    form.reset()
    offer(client) // before the clinics are read, so that saving cannot lose the one that is kept
    if (client) fillIn(form, client)
    opened = snapshot(form)
    for (const [name, value] of draft?.typed ?? []) if (form.elements[name]) form.elements[name].value = value
    if (!client) form.dataset.draft = "client"
    byId("kNumber").readOnly = Boolean(client)
    byId("kNumber-help").textContent = client ? "Stays as it was saved" : "K and seven digits, as on the card"
    byId("email").required = !client
    byId("statusField").hidden = !client
    archivable(client)
    form.querySelector("details").open = [...form.elements].some((field) => field.name.startsWith("secondary_") && field.value !== "")
  }

  function fillIn(form, client) {
    for (const field of form.elements) {
      if (!field.name) continue
      const value = client[RECORD[field.name] ?? field.name] ?? ""
      field.value = field.type === "tel" ? Format.phone(value) : value
    }
  }

  /** Archiving is the supervisors'; the server holds everybody to it. */
  function archivable(client) {
    const archive = byId("status").querySelector("[value=archived]")
    archive.disabled = !hasFeaturePermission("canDeleteClients") && client?.status !== "archived"
  }

  function offer(client) {
    const other = client?.primary_clinic_id && !clinics.some((clinic) => clinic.id === client.primary_clinic_id)
    Dom.fill(
      byId("primaryClinicId"),
      el("option", { value: "" }, "—"),
      other && el("option", { value: client.primary_clinic_id }, client.primary_clinic_name ?? "As before"),
      clinics.map((clinic) => el("option", { value: clinic.id }, [clinic.name, clinic.city].filter(Boolean).join(", "))),
    )
  }

  async function offerClinics() {
    if (clinics.length === 0) {
      try {
        clinics = (await APIClient.get("/clinic-locations")).destinations ?? []
      } catch {
        return // The choice is optional; the list is asked for again when the form is opened next.
      }
    }
    const untouched = snapshot(byId("addClientForm")) === opened
    const chosen = byId("primaryClinicId").value || (editing?.primary_clinic_id ?? "")
    offer(editing)
    byId("primaryClinicId").value = chosen
    if (untouched) opened = snapshot(byId("addClientForm"))
  }

  // ── What is typed and not saved ──

  function typedIn(form) {
    return [...new FormData(form)].map(([name, value]) => /** @type {[string, string]} */ ([name, String(value)]))
  }

  function snapshot(form) {
    return JSON.stringify(typedIn(form))
  }

  /** When the dialog closes: the form goes back to the new client, whoever was in it. */
  function keep(form) {
    if (!editing) return
    if (snapshot(form) === opened) drafts.delete(editing.id)
    else drafts.set(editing.id, { typed: typedIn(form), version: editing.version })
    lay(form, null)
  }

  function forget(form) {
    drafts.delete(editing?.id ?? NEW)
    form.reset()
    opened = snapshot(form)
  }

  // ── Saving ──

  async function save(form, dialog) {
    const button = byId("saveClientBtn")
    if (button.getAttribute("aria-disabled") === "true") return
    const faults = FormFaults.check(form)
    if (Object.keys(faults).length > 0) return FormFaults.show(form, faults)

    FormFaults.clear(form)
    busy(button, true)
    const edited = editing
    const body = read(form)
    const text = JSON.stringify(body)
    const key = unsure.body === text ? unsure.key : APIClient.newKey()
    try {
      const answer = await APIClient.post(edited ? "/update-client" : "/add-client", body, { idempotencyKey: key })
      unsure = { body: "", key: "" }
      forget(form)
      dialog.close()
      onSaved(answer.client_id, answer.message, Boolean(edited))
    } catch (error) {
      unsure = error.outcomeUnknown ? { body: text, key } : { body: "", key: "" }
      showRefusal(form, error)
    } finally {
      busy(button, false)
    }
  }

  function read(form) {
    const typed = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value).trim()]))
    const { kNumber, appointmentLength, status, ...rest } = typed
    const length = { appointmentLength: Number(appointmentLength) }
    if (editing) {
      return {
        id: editing.id,
        version: editing.version,
        recalculateTravelTimes: true,
        clientData: { ...rest, ...length, ...(status !== editing.status && { status }) },
        selectedClinicIds: [],
      }
    }
    const given = Object.entries(rest).filter(([name, value]) => !name.startsWith("secondary_") || value !== "")
    return { kNumber, clientData: { ...Object.fromEntries(given), ...length, active: true }, selectedClinicIds: [] }
  }

  function showRefusal(form, error) {
    const faults = { ...error.fields }
    const listed = new Set(Object.values(faults))
    error.errors.filter((text) => !listed.has(text)).forEach((text, n) => (faults[`other-${n}`] = text))
    const named = Object.keys(faults).length > 0
    FormFaults.show(form, faults, named && error.status === 400 ? undefined : error)
    if (error.code === "stale") form.querySelector(".form-summary .problem-text").append(newestButton(form))
  }

  function newestButton(form) {
    const take = async () => {
      try {
        const { client } = await APIClient.get(`/get-client?id=${encodeURIComponent(editing.id)}`)
        forget(form)
        editing = client
        offer(client)
        fillIn(form, client)
        opened = snapshot(form)
        FormFaults.clear(form)
        byId("firstName").focus()
        Dom.announce("This is the newest. Make your changes again.")
      } catch (error) {
        FormFaults.show(form, {}, error)
      }
    }
    return el(
      "div",
      { class: "problem-actions" },
      el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: take }, "Take the newest, drop mine"),
    )
  }

  function busy(button, on) {
    button.setAttribute("aria-disabled", String(on))
    button.querySelector("span").textContent = on ? "Saving…" : editing ? "Save changes" : "Save client"
  }

  return Object.freeze({ init, open, edit })
})()
