"use strict"

/**
 * The dialog in which a trip is booked (for one or several dates) or changed. What is typed and not saved is kept until the page is left, and a
 * new one over the end of the session too.
 * A change is sent with the version it was made from, and has only what was changed: so the newer can be taken without losing what was typed.
 */
const TripForm = (() => {
  const { el, fill, icon, byId } = Dom
  const NEW = "new"
  /** @type {any} the trip that is changed; null while one is booked */
  let editing = null
  /** @type {Record<string, string>} the fields as they were when the form was opened */
  let base = {}
  /** What was typed and not saved, by trip. @type {Map<string, any>} */
  const drafts = new Map()
  let opened = ""
  /** Whether the form began with a trip that is booked again: then what was typed before for a new one is left alone. */
  let copied = false
  let onSaved = (_saved) => {}

  /** @param {{onSaved: (saved: {ids: string[], message: string, warnings: string[], edited: boolean}) => void}} options */
  function init(options) {
    ;({ onSaved } = options)
    TripNews.follow({ read: lookForNewer, concerns: ({ id }) => id === editing?.id })
    TripFields.layout() // now it is known who is here, and a draft has been given back
    if (snapshot() !== opened) drafts.set(NEW, { ...now(), base, version: null })
  }

  /** Before anybody is known, so that a draft that is given back finds its fields. */
  function prepare() {
    const form = formNode()
    TripClient.init({ onChange: TripSketch.soon })
    TripDates.init({ onChange: TripSketch.soon })
    TripSketch.init({ about: () => ({ client: clientId(), but: editing?.id ?? null }) })
    FormSending.init(form, {
      check,
      read,
      send: (body, once) => APIClient.post(editing ? "/update-appointment" : "/save-appointment", body, once),
      done: saved,
      refused,
    })
    form.addEventListener("input", ({ target }) => {
      if (target.name === "transitTime") TripFields.driveTyped()
    })
    form.addEventListener("change", ({ target }) => changed(target.name))
    form.addEventListener("reset", () => setTimeout(discarded)) // the fields are emptied after this event
    modal().addEventListener("close", keep)
    startAnew()
  }

  function discarded() {
    drafts.delete(NEW)
    startAnew()
  }

  function startAnew() {
    base = TripFields.blank()
    lay(base, [])
    opened = snapshot()
  }

  function clientId() {
    return TripClient.id() ?? (editing && TripClient.knumber() === base.knumber ? editing.client_id : null)
  }

  /** @param {{drivers: any[], clinics: any[], booking_agents: any[]}} choices */
  function offer({ drivers, clinics, booking_agents: agents }) {
    TripSketch.offer(drivers)
    TripFields.offerClinics(clinics)
    TripFields.offer("managed_by", "Nobody in particular", agents.map((one) => [one.id, one.full_name]))
  }

  function modal() {
    return /** @type {HTMLDialogElement} */ (byId("tripModal"))
  }

  function formNode() {
    return /** @type {HTMLFormElement} */ (byId("tripForm"))
  }

  // ── Opening ──

  /**
   * A new trip. Without anything given, what was typed before and not saved is still there.
   * @param {Record<string, string>|null} [values] what it begins with @param {{day: string, clock: string}[]} [times]
   */
  async function open(values = null, times = [{ day: "", clock: "" }]) {
    begin(null, values ?? TripFields.blank(), times, values ? null : drafts.get(NEW))
    copied = values !== null
    if (values) base = TripFields.blank()
    if (values) document.getElementsByName(TripDates.fieldOf(0))[0].focus()
    else byId("client").focus()
    await TripClient.read()
  }

  /** A change of this trip, as get-appointment answers it. @param {any} trip */
  async function edit(trip) {
    begin(trip, TripFields.of(trip), [TripDates.of(trip.appointmenttime)], drafts.get(trip.id))
    TripFields.field("notes").focus()
    await TripClient.read()
  }

  function begin(trip, values, times, draft) {
    formNode().removeAttribute("data-draft") // only a new one is kept beyond the page: see form-draft.js
    copied = false
    editing = trip && { ...trip, version: draft?.version ?? trip.version }
    base = draft?.base ?? values
    lay(values, times)
    opened = snapshot()
    if (draft) lay(draft.values, draft.times)
    if (!trip) formNode().dataset.draft = "trip"
    TripFields.field("transitTime").readOnly = Boolean(trip) && !hasFeaturePermission("canAssignDrivers")
    byId("tripFormTitle").textContent = trip ? `Edit ${TripWords.who(trip)}` : "Book a trip"
    byId("tripFormFoot").textContent = trip ? "Only what it makes necessary follows in the background." : "Calendar and texts follow in the background."
    FormSending.begin(formNode(), trip ? "Save changes" : "Book")
    tell(null)
    modal().showModal()
    TripSketch.soon()
  }

  function lay(values, times) {
    TripFields.lay(values)
    TripFields.driveLaid(Boolean(editing))
    if (editing?.operation_status === "cancelled") TripFields.field("driver_assigned").disabled = true // it shows who was told
    TripClient.lay(values.client_name, values.knumber)
    TripDates.lay(times.length > 0 ? times : [{ day: "", clock: "" }], Boolean(editing))
    byId("moreFields").open = Boolean(values.scheduling_notes)
  }

  // ── While it is filled in ──

  function changed(name) {
    if (name === "appointment_type") TripFields.layout()
    if (name === "clinic_id") {
      TripFields.layout()
      TripFields.guessDrive()
    }
    TripSketch.soon()
  }

  // ── What is typed and not saved ──

  function now() {
    return { values: { ...TripFields.values(), knumber: TripClient.knumber(), client_name: TripClient.typed() }, times: TripDates.typed() }
  }

  function snapshot() {
    const { values, times } = now()
    const typed = TripFields.isGuessed() ? { ...values, transitTime: "" } : values
    return JSON.stringify({ typed, times })
  }

  function keep() {
    const untouched = snapshot() === opened
    const { values, times } = now()
    const whole = { ...base, ...values, ...(TripFields.isGuessed() && !editing ? { transitTime: "" } : {}) }
    if (!untouched) drafts.set(editing?.id ?? NEW, { values: whole, times, base, version: editing?.version ?? null })
    else if (!copied) drafts.delete(editing?.id ?? NEW)
    backToNew()
  }

  /** Between two openings the form is that of a new trip, so that what was typed there is kept beyond the page. */
  function backToNew() {
    ;[editing, copied] = [null, false]
    startAnew()
    const draft = drafts.get(NEW)
    if (draft) lay(draft.values, draft.times)
    formNode().dataset.draft = "trip"
  }

  function forget() {
    if (!copied) drafts.delete(editing?.id ?? NEW)
    if (!copied && !editing) FormDraft.forget(formNode())
    opened = snapshot()
  }

  // ── Saving ──

  function check(form) {
    const faults = FormFaults.check(form)
    if (!faults.client && byId("client").value.trim() && !TripClient.knumber()) faults.client = "Client must be chosen from the list"
    return faults
  }

  function read() {
    if (!editing) return { appointments: newTrips() }
    const body = change()
    if (Object.keys(body).length > 2) return body
    closeWith([editing.id], "Nothing was different, so nothing was changed.")
    return null
  }

  function saved(answer) {
    if (editing) closeWith([editing.id], "Changed.", answer.warnings)
    else closeWith(answer.appointmentIds, TripWords.booked(answer.appointments.map((one) => one.appointmenttime)), answer.warnings)
  }

  function closeWith(ids, message, warnings = []) {
    forget()
    if (!editing) startAnew()
    modal().close()
    onSaved({ ids, message, warnings, edited: Boolean(editing) })
  }

  function newTrips() {
    const one = { ...(TripClient.knumber() && { knumber: TripClient.knumber() }), ...TripFields.given(TripFields.values()) }
    return TripDates.moments().map((moment) => ({ ...one, appointmentDateTime: moment }))
  }

  function change() {
    const [moment] = TripDates.moments()
    return {
      id: editing.id,
      version: editing.version,
      ...TripFields.changed(base),
      ...(moment !== base.appointmenttime && { appointmentDateTime: moment }),
      ...(TripClient.knumber() !== base.knumber && { knumber: TripClient.knumber() || null }),
    }
  }

  // ── Somebody else was first: said as soon as it is heard of, or when it is saved ──

  /** Says who has changed the trip that is open here. When it cannot be read, whoever saves is told all the same. */
  async function lookForNewer() {
    const id = editing?.id
    if (!id || !modal().open || isBusy()) return
    const newer = await APIClient.get(`/get-appointment?id=${encodeURIComponent(id)}`).catch((error) => ({ error }))
    if (editing?.id !== id || isBusy()) return
    if (newer.error?.status === 404) return tell("gone", news("This trip has been deleted."))
    if (newer.error || newer.appointment.version === editing.version) return
    const { last_change: last } = newer
    // "You" alone: it may have been another window, or this one, whose answer was lost.
    const who = last && (last.mine ? "You" : last.user_name)
    const said = who ? [`${who} changed this trip `, Dom.ago(last.created_at), ". "] : "This trip has changed. "
    tell(String(newer.appointment.version), news([said, "What you typed is still here."], newerButton()))
  }

  /** @param {string|null} what so that the same is not told twice @param {...Node} content */
  function tell(what, ...content) {
    const place = byId("tripNews")
    if (what !== null && place.dataset.told === what) return
    place.dataset.told = what ?? ""
    KeepFocus.byName(place, () => fill(place, ...content))
  }

  function news(text, ...ways) {
    return el("div", { class: "notice" }, icon("people"), el("div", {}, el("p", {}, text), ways))
  }

  function refused(error, show) {
    show(TripRefusal.faults(error, TripDates.typed().length > 1))
    if (error.code === "stale") formNode().querySelector(".form-summary .problem-text").append(newerButton())
  }

  function newerButton() {
    const button = el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: takeNewer }, "Load the newer, keep what I typed")
    return el("div", { class: "problem-actions" }, button)
  }

  /** What was not typed here becomes as it is stored now; what was typed stays, and is what will be sent. */
  async function takeNewer() {
    const { id } = editing
    try {
      const { appointment: newer } = await APIClient.get(`/get-appointment?id=${encodeURIComponent(id)}`)
      if (editing?.id !== id) return // another is in the form by now
      const mine = change()
      const { values, times } = now()
      const stored = TripFields.of(newer)
      const kept = TripFields.typedOver(base)
      const moved = "appointmentDateTime" in mine
      const whose = "knumber" in mine ? { knumber: values.knumber, client_name: values.client_name } : {}
      editing = newer
      base = stored
      lay({ ...stored, ...kept, ...whose }, moved ? times : [TripDates.of(newer.appointmenttime)])
      FormFaults.clear(formNode())
      tell(null)
      TripSketch.soon()
      byId("saveTripBtn").focus()
      Dom.announce("This is the newer, with what you typed. Look at it, then save.")
    } catch (error) {
      if (editing?.id === id) FormFaults.show(formNode(), {}, error)
    }
  }

  function isBusy() {
    return byId("saveTripBtn").getAttribute("aria-disabled") === "true"
  }

  prepare()

  return Object.freeze({ init, offer, open, edit })
})()
