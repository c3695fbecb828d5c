"use strict"

/**
 * The dialog in which a client is added or corrected. The person waits for the save alone; what follows happens in the background, and only its
 * failure is spoken of.
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
  const draft = RecordDraft.make({
    form: "addClientForm",
    name: "client",
    first: "firstName",
    newest: async (id) => (await APIClient.get(`/get-client?id=${encodeURIComponent(id)}`)).client,
    fillIn,
    laid,
  })
  /** @type {any[]} */
  let clinics = []
  let onSaved = (_id, _message, _edited) => {}

  /** @param {{onSaved: (clientId: string, message: string, edited: boolean) => void}} options */
  function init(options) {
    ;({ onSaved } = options)
    const [dialog, form] = [byId("addClientModal"), byId("addClientForm")]
    FormSending.init(form, {
      read,
      send: (body, once) => APIClient.post(draft.editing() ? "/update-client" : "/add-client", body, once),
      done: saved,
      refused: draft.refused,
    })
    form.addEventListener("change", ({ target }) => {
      if (Object.hasOwn(TIDY, target.name) && target.value.trim() !== "") target.value = TIDY[target.name](target.value)
    })
    dialog.addEventListener("close", draft.keep)
    if (FormDraft.holds(form)) offerClinics() // the form may stand open already, and what was ticked waits for its boxes
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
    if (client) draft.lay(client)
    byId("addClientTitle").textContent = client ? `Edit ${client.firstname} ${client.lastname}` : "Add client"
    FormSending.begin(byId("addClientForm"), client ? "Save changes" : "Save client")
    byId("addClientModal").showModal()
  }

  function fillIn(client) {
    offer(client) // before the clinics are read, so that saving cannot lose the one that is kept
    if (!client) return
    for (const field of byId("addClientForm").elements) {
      if (!field.name || field.type === "checkbox") continue
      const value = client[RECORD[field.name] ?? field.name] ?? ""
      field.value = field.type === "tel" ? Format.phone(value) : value
    }
  }

  function laid(client) {
    byId("kNumber").readOnly = Boolean(client)
    byId("kNumber-help").textContent = client ? "Stays as it was saved" : "K and seven digits, as on the card"
    byId("email").required = !client
    byId("statusField").hidden = !client
    byId("selectedClinics-help").textContent = client
      ? "Those that are ticked are measured if they have no time yet. With a new address, those measured before are measured again; with none ticked, every clinic in use."
      : "With none ticked, every clinic in use is measured. The usual clinic always is."
    byId("clinicChoice").open = chosenClinics().length > 0
    archivable(client)
    const form = byId("addClientForm")
    form.querySelector("details").open = [...form.elements].some((field) => field.name.startsWith("secondary_") && field.value !== "")
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
        Dom.fill(byId("clinicBoxes"), el("p", { class: "quiet" }, "The clinics could not be read. Close the form and open it again to choose from them."))
        return // The choice is optional; the list is asked for again when the form is opened next.
      }
      offerBoxes()
    }
    const editing = draft.editing()
    const chosen = byId("primaryClinicId").value || (editing?.primary_clinic_id ?? "")
    draft.aside(() => {
      offer(editing)
      byId("primaryClinicId").value = chosen
    })
    FormDraft.restoreLate(byId("addClientForm")) // of a new one: while one is corrected the form has no draft
  }

  /** Drawn once, so that what is ticked stays while the form is open; a reset of the form takes the ticks away. */
  function offerBoxes() {
    const boxes = clinics.map(({ id, name, city }) =>
      el(
        "label",
        { class: "check" },
        el("input", { type: "checkbox", id: `clinic-${id}`, name: "selectedClinicIds", value: id, "data-label": name }),
        [name, city].filter(Boolean).join(", "),
      ),
    )
    draft.aside(() => Dom.fill(byId("clinicBoxes"), boxes.length > 0 ? boxes : el("p", { class: "quiet" }, "There is no clinic in use yet.")))
  }

  function chosenClinics() {
    return new FormData(byId("addClientForm")).getAll("selectedClinicIds").map(String)
  }

  // ── Saving ──

  function saved(answer) {
    draft.forget()
    byId("addClientModal").close()
    onSaved(answer.client_id, answer.message, Boolean(draft.editing()))
  }

  function read() {
    const editing = draft.editing()
    const typed = Object.fromEntries([...new FormData(byId("addClientForm"))].map(([name, value]) => [name, String(value).trim()]))
    const { kNumber, appointmentLength, status, selectedClinicIds: _, ...rest } = typed
    const length = { appointmentLength: Number(appointmentLength) }
    const selectedClinicIds = chosenClinics()
    if (editing) {
      return {
        id: editing.id,
        version: editing.version,
        recalculateTravelTimes: true,
        clientData: { ...rest, ...length, ...(status !== editing.status && { status }) },
        selectedClinicIds,
      }
    }
    const given = Object.entries(rest).filter(([name, value]) => !name.startsWith("secondary_") || value !== "")
    return { kNumber, clientData: { ...Object.fromEntries(given), ...length, active: true }, selectedClinicIds }
  }

  return Object.freeze({ init, open, edit })
})()
