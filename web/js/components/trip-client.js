"use strict"

/**
 * Whose trip it is, in the trip's form: the chosen client, where they live, and what follows from the choice.
 */
const TripClient = (() => {
  const { byId } = Dom
  /** @type {ClientChooser} */
  let chooser
  /** @type {any} the chosen client, as get-client answers them; null while nobody is chosen, or they are still being read */
  let client = null
  let onChange = () => {}

  /** @param {{onChange: () => void}} options onChange: somebody else is chosen */
  function init({ onChange: changed }) {
    onChange = changed
    chooser = new ClientChooser(byId("client"), byId("clientList"), chosen)
    byId("secondAddress").addEventListener("click", useSecondAddress)
  }

  /** Puts a client into the field whom the page knows by name and number. */
  function lay(name, number) {
    client = null
    chooser.show(name, number)
    showHome()
  }

  function knumber() {
    return chooser.knumber
  }

  /** @returns {string|null} null also while it is not known yet */
  function id() {
    return client?.id ?? null
  }

  /** What stands in the field, without the number. */
  function typed() {
    return byId("client").value.replace(/\s*\(?\bK\d{7}\b\)?\s*$/i, "").trim()
  }

  /** Reads who is in the field already, for where they live. */
  async function read() {
    const number = chooser.knumber
    if (!number) return
    try {
      const answer = await APIClient.get(`/get-client?knumber=${encodeURIComponent(number)}`)
      if (answer.client.knumber !== chooser.knumber) return
      client = answer.client
      chooser.show(`${client.firstname} ${client.lastname}`, client.knumber)
      showHome()
      onChange()
    } catch {
      // Home and drive are a help beside the field; the server knows them anyway when the trip is saved.
    }
  }

  function chosen(found) {
    client = found
    const nowhere = TripFields.field("clinic_id").value === "" && TripFields.field("location").value.trim() === ""
    if (found && nowhere && [...byId("clinic_id").options].some((one) => one.value === found.primary_clinic_id)) {
      byId("clinic_id").value = found.primary_clinic_id
      TripFields.layout()
    }
    TripFields.guessDrive()
    showHome()
    onChange()
  }

  function showHome() {
    const home = client && [client.civicaddress, client.city].filter(Boolean).join(", ")
    TripFields.field("pickup_address").placeholder = home ?? ""
    byId("pickup_address-help").textContent = "Empty: from the client’s home"
    byId("secondAddress").hidden = !client?.secondary_civic_address
  }

  function useSecondAddress() {
    const { secondary_civic_address: line, secondary_city: city, secondary_province: province, secondary_postal_code: code } = client
    const field = TripFields.field("pickup_address")
    field.value = [line, city, [province, code].filter(Boolean).join(" ")].filter(Boolean).join(", ")
    field.focus()
  }

  return Object.freeze({ init, lay, read, knumber, id, typed })
})()
