"use strict"

/**
 * One client in full: record, drive times, and the history of the work done in the background.
 */
const ClientCard = (() => {
  const { el, icon } = Dom
  const { isOpen: isOpenFailure } = OpenFailures
  const NO_BREAK = "\u00a0"
  const card = RecordCard.make({
    place: "clientCard",
    what: "the client",
    read,
    draw,
    acts,
    named: ({ client }) => client.knumber, // not the name: it would stay in the browser's history
    onClose: () => onClose(),
  })
  const { show, hide, hear, catchUp } = card
  let onClose = () => {}

  /** @param {{onClose: () => void}} options */
  function init(options) {
    ;({ onClose } = options)
  }

  /** What was just saved of it, in the server's words; and the record is read again. */
  function saved(message) {
    return card.saved(message, "edit")
  }

  async function read(id) {
    const answer = await APIClient.get(`/get-client?id=${encodeURIComponent(id)}`)
    return { ...answer, legs: answer.drive_times ?? [], tasks: answer.tasks ?? [] }
  }

  // ── Drawing ──

  function acts({ client }) {
    return el("button", { type: "button", class: "btn btn-sm btn-soft", "data-focus": "edit", onclick: () => ClientForm.edit(client) }, "Edit")
  }

  function draw(data, note) {
    const { client, tasks } = data
    const name = [client.firstname, client.lastname].filter(Boolean).join(" ") || "(no name)"
    return [
      [el("h2", {}, name), el("p", {}, el("span", { class: "k-number" }, client.knumber), ClientRow.badge(client))],
      RecordCard.said(note),
      client.home_found === "approximate" &&
        el("p", { class: "notice" }, icon("geo-alt"), el("span", {}, "Address found only approximately — check it")),
      record(client),
      hasPageAccess("audit") && activityLink(client),
      // What needs a person comes first.
      ...(tasks.some(isOpenFailure) ? [history(data), ...times(data)] : [...times(data), history(data)]),
      Changes.build(data.changes ?? [], "client", client.id),
    ]
  }

  function times({ legs, tasks, clinic_times: clinics, clinic_times_pending: pending, trips }) {
    return [DriveTimes.build(legs, tasks), ClinicTimes.build(clinics ?? [], pending ?? [], tasks), ClientTrips.build(trips ?? [])]
  }

  function record(client) {
    const town = [client.city, client.prov, client.postalcode?.replace(" ", NO_BREAK)].filter(Boolean).join(" ")
    const second = [client.secondary_civic_address, client.secondary_city, client.secondary_province, client.secondary_postal_code]
      .filter(Boolean)
      .join(", ")
    const emergency = [client.emergency_contact_name, Format.phone(client.emergency_contact_number)].filter(Boolean).join(", ")
    const rows = [
      ["Phone", client.phone && el("a", { href: `tel:${client.phone}` }, Format.phone(client.phone))],
      ["E-mail", client.email && el("a", { href: `mailto:${encodeURIComponent(client.email).replace("%40", "@")}` }, client.email)],
      ["Address", [client.civicaddress, town].filter(Boolean).join(", ")],
      ["Second address", [second, client.secondary_address_notes].filter(Boolean).join(" · ")],
      ["Usual clinic", client.primary_clinic_name],
      ["Driver", { female: "A woman only", male: "A man only" }[client.driver_gender_requirement]],
      ["Appointment length", client.appointment_length && Format.minutes(client.appointment_length)],
      ["Emergency contact", emergency],
      ["Notes", client.notes],
    ]
    return RecordCard.facts(rows)
  }

  function activityLink(client) {
    return el(
      "p",
      {},
      el("a", { href: `audit.html?client=${encodeURIComponent(client.id)}`, class: "with-icon" }, icon("journal-text"), "Record of activity"),
    )
  }

  function history({ client, tasks }) {
    return TaskHistory.build(tasks, { correct: (task) => correct(client, task), onRetried: hear })
  }

  /** @returns {{label: string, act: () => void}|null} the way to correct an address that a map service does not know */
  function correct(client, task) {
    if (!["maps.not_found", "maps.no_address"].includes(task.error_code)) return null
    const at = /second/.test(task.error_message ?? "") ? "secondary_civic_address" : "civicAddress"
    return { label: "Correct the address", act: () => ClientForm.edit(client, { at }) }
  }

  return Object.freeze({ init, show, saved, hide, hear, catchUp })
})()
