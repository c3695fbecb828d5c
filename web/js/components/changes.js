"use strict"

/**
 * Who changed a record, when, and which fields: from the audit log, as far as the reader may see it.
 */
const Changes = (() => {
  const { el } = Dom
  const FEW = 5
  const TRIP = Object.freeze({
    assign: "changed who drives",
    cancel: "cancelled it",
    archive: "archived it",
    unarchive: "took it out of the archive",
    delete: "deleted it",
  })
  const WORDS = Object.freeze({ create: "added it", update: "changed", import: "imported it", ...TRIP })
  const ACTS = Object.freeze({
    create_time_off: "entered time off",
    update_time_off: "changed time off:",
    delete_time_off: "removed time off",
    make_driver_calendar: "asked for the calendar",
  })
  const FIELDS = Object.freeze({
    firstname: "first name",
    lastname: "last name",
    email: "e-mail",
    civicaddress: "civic address",
    prov: "province",
    postalcode: "postal code",
    mapaddress: "map address",
    primary_clinic_id: "usual clinic",
    driver_gender_requirement: "driver",
    workload_percentage: "workload",
    preferred_calendar_type: "calendar",
    vehicle_description: "vehicle",
    active: "whether they are active",
    knumber: "client",
    appointmenttime: "time",
    transittime: "drive",
    this_appointment_length: "stay",
    locationname: "place",
    locationaddress: "address",
    operation_status: "status",
    driver_assigned: "driver",
    managed_by: "managing agent",
    custom_rate: "rate",
  })
  // What a trip has besides, as a consequence of a field that is named already.
  const FOLLOWING = new Set([
    "pickuptime",
    "drop_off_time",
    "driver_name",
    "driver_first_name",
    "driver_email",
    "driver_phone",
    "driver_calendar_id",
    "managed_by_name",
    "client_id",
    "client_name",
    "client_first_name",
    "client_last_name",
    "client_phone",
    "client_email",
    "clinic_id",
    "completed_at",
    "cancelled_at",
    "cancelled_by",
    "pickup_from",
  ])

  /**
   * @param {any[]} changes newest first: {action, user_name, created_at, fields}
   * @param {string} type @param {string} id of the record, for who may read the whole log
   */
  function build(changes, type, id) {
    if (changes.length === 0) return null
    const [recent, older] = [changes.slice(0, FEW), changes.slice(FEW)]
    return el(
      "section",
      { "aria-labelledby": "changesTitle" },
      el("h3", { id: "changesTitle" }, "Changes", !hasFeaturePermission("canSeeAllFailedTasks") && el("span", { class: "quiet" }, " yours")),
      el("ol", { class: "history" }, recent.map(item)),
      older.length > 0 &&
        el("details", { class: "more" }, el("summary", { "data-focus": "older" }, `${older.length} older`), el("ol", { class: "history" }, older.map(item))),
      hasPageAccess("audit") && el("p", { class: "small" }, el("a", { href: logOf(type, id) }, "All of it in the audit log")),
    )
  }

  function logOf(type, id) {
    return `audit.html?${new URLSearchParams({ entity_type: type, entity_id: id })}`
  }

  function item(change) {
    const act = change.action.split("_")[0]
    const verb = ACTS[change.action] ?? WORDS[act] ?? change.action.replaceAll("_", " ")
    const told = Object.hasOwn(TRIP, act) && !Object.hasOwn(ACTS, change.action) ? [] : (change.fields ?? []).filter((name) => !FOLLOWING.has(name))
    const fields = told.map((name) => FIELDS[name] ?? name.replaceAll("_", " "))
    return el(
      "li",
      {},
      el("p", {}, el("strong", {}, change.user_name ?? "The system"), ` ${verb}`, fields.length > 0 && ` ${Format.list(fields)}`),
      el("p", { class: "history-head" }, Dom.ago(change.created_at)),
    )
  }

  return Object.freeze({ build })
})()
