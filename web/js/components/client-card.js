"use strict"

/**
 * One client in full: record, drive times, and the history of the work done in the background.
 */
const ClientCard = (() => {
  const { el, icon, fill, byId } = Dom
  const { isOpen: isOpenFailure } = OpenFailures
  const SOON_MS = 150
  const NO_BREAK = "\u00a0"
  const PAGE_TITLE = document.title

  let shownId = null
  let asked = 0
  let soon = 0
  let onClose = () => {}
  let note = ""
  /** @type {any} */
  let data = null

  /**
   * @param {string} id
   * @param {{highlight?: boolean, onClose: () => void, focus?: boolean}} options highlight: mark its failures, for who comes from a failure notice
   */
  async function show(id, { highlight = false, onClose: closed, focus = true }) {
    shownId = id
    onClose = closed
    data = null
    note = ""
    const card = byId("clientCard")
    card.hidden = false
    card.classList.toggle("highlight", highlight)
    draw(el("p", { class: "loading", role: "status" }, "Loading the client…"))
    if (focus) card.focus()
    await read()
  }

  /** What was just saved of it, in the server's words; and the record is read again. */
  async function saved(message) {
    note = message
    await read()
    byId("clientCard").querySelector("[data-focus=edit]")?.focus()
  }

  function hide() {
    shownId = null
    note = ""
    asked += 1
    byId("clientCard").hidden = true
    document.title = PAGE_TITLE
  }

  /** A task of this client changed: shown at once, and the rest read again shortly after. */
  function hear(task) {
    if (!shownId || task.entity_id !== shownId) return
    if (data) {
      const known = data.tasks.findIndex((one) => one.id === task.id)
      if (known >= 0) data.tasks[known] = { ...data.tasks[known], ...task }
      else data.tasks.unshift(task)
      drawData()
    }
    clearTimeout(soon)
    soon = setTimeout(read, SOON_MS)
  }

  /** Reads it again without losing what is shown. @returns {Promise<any|null>} the answer */
  async function read() {
    if (!shownId) return null
    asked += 1
    const mine = asked
    try {
      const answer = await APIClient.get(`/get-client?id=${encodeURIComponent(shownId)}`)
      if (mine !== asked) return null
      data = { ...answer, legs: answer.drive_times ?? [], tasks: answer.tasks ?? [] }
      drawData()
    } catch (error) {
      if (mine === asked)
        draw(null, Dom.problem(error, el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: read }, "Try again")))
    }
    return data
  }

  // ── Drawing ──

  function draw(title, ...content) {
    const card = byId("clientCard")
    const close = el(
      "button",
      { type: "button", class: "btn btn-sm btn-quiet", "data-focus": "close", onclick: () => onClose() },
      icon("x-lg"),
      "Close",
    )
    const edit = el(
      "button",
      { type: "button", class: "btn btn-sm btn-soft", "data-focus": "edit", onclick: () => ClientForm.edit(data.client) },
      "Edit",
    )
    const key = card.contains(document.activeElement) ? document.activeElement.closest("[data-focus]")?.dataset.focus : null
    fill(card, el("header", { class: "client-head" }, el("div", {}, title), el("div", { class: "client-acts" }, data && edit, close)), ...content)
    if (key) (card.querySelector(`[data-focus="${CSS.escape(key)}"]`) ?? card).focus()
  }

  function drawData() {
    const { client, legs, tasks } = data
    const name = [client.firstname, client.lastname].filter(Boolean).join(" ") || "(no name)"
    document.title = `${client.knumber} · ${PAGE_TITLE}` // not the name: it would stay in the browser's history
    const title = [
      el("h2", {}, name),
      el(
        "p",
        {},
        el("span", { class: "k-number" }, client.knumber),
        ClientRow.badge(client),
      ),
    ]
    draw(
      title,
      el("div", { role: "status" }, note && el("p", { class: "saved" }, icon("check-lg"), el("span", {}, note))),
      client.home_found === "approximate" &&
        el("p", { class: "notice" }, icon("geo-alt"), el("span", {}, "Address found only approximately — check it")),
      record(client),
      hasPageAccess("audit") && activityLink(client),
      // What needs a person comes first.
      ...(tasks.some(isOpenFailure) ? [history(tasks), ...times()] : [...times(), history(tasks)]),
      Changes.build(data.changes ?? [], "client", client.id),
    )
  }

  function times() {
    const { legs, tasks, clinic_times: clinics, clinic_times_pending: pending, trips } = data
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
    return el(
      "dl",
      { class: "record" },
      rows.filter(([, value]) => value).map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value))),
    )
  }

  function activityLink(client) {
    return el(
      "p",
      {},
      el("a", { href: `audit.html?client=${encodeURIComponent(client.id)}`, class: "with-icon" }, icon("journal-text"), "Record of activity"),
    )
  }

  function history(tasks) {
    return TaskHistory.build(tasks, { correct, onRetried: hear })
  }

  /** @returns {{label: string, act: () => void}|null} the way to correct an address that a map service does not know */
  function correct(task) {
    if (!["maps.not_found", "maps.no_address"].includes(task.error_code)) return null
    const at = /second/.test(task.error_message ?? "") ? "secondary_civic_address" : "civicAddress"
    return { label: "Correct the address", act: () => ClientForm.edit(data.client, { at }) }
  }

  /** Events may have been missed: looks again at what is shown. */
  function catchUp() {
    if (data) read()
  }

  return Object.freeze({ show, saved, hide, hear, catchUp })
})()
