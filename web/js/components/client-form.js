"use strict"

/**
 * The add-client dialog. The person waits for the save alone; drive times and Quo follow in the background, and only their failure is spoken of.
 *
 * One idempotency key per click. It is used again only when the same form is sent once more because nobody knows whether the first arrived.
 */
const ClientForm = (() => {
  const { byId } = Dom

  const TIDY = Object.freeze({
    kNumber: (typed) => typed.trim().toUpperCase(),
    phone: Format.phone,
    emergencyContactNumber: Format.phone,
    email: (typed) => typed.trim().toLowerCase(),
    postalCode: Format.postalCode,
    secondary_postal_code: Format.postalCode,
  })
  let unsure = { body: "", key: "" }
  let onSaved = (_id, _message) => {}

  /** @param {{onSaved: (clientId: string, message: string) => void}} options */
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
  }

  /** What was typed before and not saved is still there. */
  function open() {
    byId("addClientModal").showModal()
    byId("kNumber").focus()
  }

  async function save(form, dialog) {
    const button = byId("saveClientBtn")
    if (button.getAttribute("aria-disabled") === "true") return
    const faults = FormFaults.check(form)
    if (Object.keys(faults).length > 0) return FormFaults.show(form, faults)

    FormFaults.clear(form)
    busy(button, true)
    const body = read(form)
    const text = JSON.stringify(body)
    const key = unsure.body === text ? unsure.key : APIClient.newKey()
    try {
      const answer = await APIClient.post("/add-client", body, { idempotencyKey: key })
      unsure = { body: "", key: "" }
      form.reset()
      dialog.close()
      onSaved(answer.client_id, answer.message)
    } catch (error) {
      unsure = error.outcomeUnknown ? { body: text, key } : { body: "", key: "" }
      showRefusal(form, error)
    } finally {
      busy(button, false)
    }
  }

  function read(form) {
    const typed = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value).trim()]))
    const { kNumber, appointmentLength, ...rest } = typed
    const secondary = Object.entries(rest).filter(([name, value]) => !name.startsWith("secondary_") || value !== "")
    return {
      kNumber,
      clientData: { ...Object.fromEntries(secondary), appointmentLength: Number(appointmentLength), active: true },
      selectedClinicIds: [],
    }
  }

  function showRefusal(form, error) {
    const faults = { ...error.fields }
    const listed = new Set(Object.values(faults))
    error.errors.filter((text) => !listed.has(text)).forEach((text, n) => (faults[`other-${n}`] = text))
    const named = Object.keys(faults).length > 0
    FormFaults.show(form, faults, named && error.status === 400 ? undefined : error)
  }

  function busy(button, on) {
    button.setAttribute("aria-disabled", String(on))
    button.querySelector("span").textContent = on ? "Saving…" : "Save client"
  }

  return Object.freeze({ init, open })
})()
