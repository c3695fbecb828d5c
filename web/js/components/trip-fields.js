"use strict"

/**
 * The fields of the trip's form: from a trip, into a body for the server, and which of them a kind of trip has.
 *
 * What is not changed is not sent: for the server a key that is left out stays as it is, and null takes the value away.
 */
const TripFields = (() => {
  const { byId } = Dom
  // The form's names, and where the record keeps them.
  const FIELDS = Object.freeze({
    appointment_type: "appointment_type",
    trip_direction: "trip_direction",
    event_name: "event_name",
    clinic_id: "clinic_id",
    location: "locationname",
    locationAddress: "locationaddress",
    pickup_address: "pickup_address",
    transitTime: "transittime",
    appointmentLength: "this_appointment_length",
    driver_assigned: "driver_assigned",
    managed_by: "managed_by",
    customRate: "custom_rate",
    notes: "notes",
    scheduling_notes: "scheduling_notes",
    driver_instructions: "driver_instructions",
  })
  const NUMBERS = new Set(["transitTime", "appointmentLength"])
  const ELSEWHERE = "elsewhere" // the choice of a place that is no clinic of ours
  const NOT_COPIED = Object.freeze(["driver_assigned", "managed_by"])

  /** The addresses of the clinics that are offered, by their ids. @type {Map<string, string>} */
  const addresses = new Map()

  function tripForm() {
    return /** @type {HTMLFormElement} */ (byId("tripForm"))
  }

  function field(name) {
    return /** @type {any} */ (tripForm().elements.namedItem(name))
  }

  // ── Between record and form ──

  /** @param {any} trip @returns {Record<string, string>} its fields as the form has them */
  function of(trip) {
    const values = Object.fromEntries(Object.entries(FIELDS).map(([name, column]) => [name, String(trip[column] ?? "")]))
    const minute = Math.floor(Date.parse(trip.appointmenttime) / 60_000) * 60_000 // a form has no seconds
    return { ...values, ...whose(trip), appointmenttime: new Date(minute).toISOString() }
  }

  /** A trip to be booked again: with nobody to drive it yet. */
  function copy(trip) {
    const values = of(trip)
    for (const name of NOT_COPIED) values[name] = ""
    return values
  }

  function whose(trip) {
    return { knumber: trip.client_id ? trip.knumber : "", client_name: trip.client_name ?? "" }
  }

  /** Nothing typed yet. */
  function blank() {
    return { ...Object.fromEntries(Object.keys(FIELDS).map((name) => [name, ""])), appointment_type: "round_trip", knumber: "", client_name: "" }
  }

  /** @param {Record<string, string>} values */
  function lay(values) {
    for (const name of Object.keys(FIELDS)) {
      const one = field(name)
      if (one instanceof HTMLSelectElement && values[name] && ![...one.options].some((option) => option.value === values[name])) {
        one.append(Dom.el("option", { value: values[name] }, name === "clinic_id" ? values.location || "As before" : "As before"))
      }
      one.value = values[name]
    }
    if (values.clinic_id === "" && values.location !== "") field("clinic_id").value = ELSEWHERE
    layout()
  }

  /** What stands in the fields that this kind of trip, and this person, has. */
  function values() {
    const shown = Object.keys(FIELDS).filter((name) => !field(name).disabled)
    const typed = Object.fromEntries(shown.map((name) => [name, String(field(name).value).trim()]))
    return { ...typed, clinic_id: typed.clinic_id === ELSEWHERE ? "" : typed.clinic_id }
  }


  /** What was typed over the values `before`; a drive that we guessed is not among it. */
  function typedOver(before) {
    return Object.fromEntries(Object.entries(values()).filter(([name, value]) => value !== before[name] && !(name === "transitTime" && isGuessed())))
  }

  // ── Which fields there are ──

  /** @param {any[]} clinics as get-appointment-modal-data answers them */
  function offerClinics(clinics) {
    for (const one of clinics) {
      const region = [one.province, one.postal_code].filter(Boolean).join("\u00a0")
      addresses.set(one.id, [one.address, one.city, region].filter(Boolean).join(", "))
    }
    const places = clinics.map((one) => /** @type {[string, string]} */ ([one.id, [one.name, one.city].filter(Boolean).join(", ")]))
    offer("clinic_id", "Choose", [...places, [ELSEWHERE, "Another place"]])
    layout()
  }

  /** Fills a list; what is chosen stays chosen, even what is not offered (any more). @param {[string, string][]} offered values and texts */
  function offer(name, none, offered) {
    const { el, fill } = Dom
    const select = field(name)
    const chosen = select.value
    const kept = chosen && !offered.some(([value]) => value === chosen) ? [...select.options].filter((one) => one.value === chosen) : []
    fill(select, el("option", { value: "" }, none), kept, offered.map(([value, text]) => el("option", { value }, text)))
    select.value = chosen
  }


  /** A field that a kind of trip or a role does not have is disabled: neither checked nor sent. */
  function layout() {
    const kind = field("appointment_type").value
    const place = field("clinic_id").value === ELSEWHERE
    const leads = hasFeaturePermission("canAssignDrivers")
    const has = {
      trip_direction: kind === "one_way",
      event_name: kind === "support",
      location: place,
      locationAddress: place,
      pickup_address: kind !== "support",
      transitTime: kind !== "support",
      appointmentLength: kind !== "one_way",
      driver_assigned: leads,
      managed_by: leads,
      customRate: hasFeaturePermission("canViewCosts"),
    }
    for (const [name, there] of Object.entries(has)) {
      field(name).disabled = !there
      field(name).closest(".field").hidden = !there
    }
    byId("clinic_id-help").textContent = addresses.get(field("clinic_id").value) ?? ""
    for (const name of ["client", "clinic_id"]) {
      field(name).required = kind !== "support"
      byId(`${name}-optional`).hidden = kind !== "support"
    }
  }

  // ── Into a body ──

  /** @param {Record<string, string>} typed @returns {Record<string, unknown>} a new trip, but for its time and client */
  function given(typed) {
    return Object.fromEntries(
      Object.entries(typed)
        .filter(([name, value]) => value !== "" && !(name === "transitTime" && isGuessed()))
        .map(([name, value]) => [name, worth(name, value)]),
    )
  }

  /** @param {Record<string, string>} before @returns {Record<string, unknown>} only what differs */
  function changed(before) {
    return Object.fromEntries(Object.entries(typedOver(before)).map(([name, value]) => [name, worth(name, value)]))
  }


  function worth(name, value) {
    if (value === "") return null
    return NUMBERS.has(name) && /^\d+$/.test(value) ? Number(value) : value
  }

  /** A drive that somebody types is theirs. */
  function driveTyped() {
    const drive = field("transitTime")
    delete drive.dataset.guessed
    delete drive.dataset.stored
  }

  /** @param {boolean} stored whether it is that of a trip that is there already: another clinic may then replace it */
  function driveLaid(stored) {
    driveTyped()
    if (stored) field("transitTime").dataset.stored = "true"
  }

  /** Whether the drive is the known one, put there by us, and not typed by anybody. */
  function isGuessed() {
    return field("transitTime").dataset.guessed === "true"
  }

  /** Another client or clinic has another drive, unless somebody has typed one for a new trip. */
  function guessDrive() {
    const drive = field("transitTime")
    if (drive.value === "" || isGuessed() || drive.dataset.stored) drive.dataset.guessed = "true"
  }

  return Object.freeze({ offer, offerClinics, typedOver, guessDrive, driveTyped, driveLaid, field, of, copy, blank, lay, values, layout, given, changed, isGuessed })
})()
