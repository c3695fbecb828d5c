"use strict"

/**
 * Who changed a record, when, and which fields: from the audit log, as far as the reader may see it.
 */
const Changes = (() => {
  const { el } = Dom
  const FEW = 5
  const WORDS = Object.freeze({ create: "added it", update: "changed", import: "imported it" })
  const ACTS = Object.freeze({ create_time_off: "entered time off", update_time_off: "changed time off:", delete_time_off: "removed time off", make_driver_calendar: "asked for the calendar" })
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
  })

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
        el("details", { class: "more" }, el("summary", {}, `${older.length} older`), el("ol", { class: "history" }, older.map(item))),
      hasPageAccess("audit") && el("p", { class: "small" }, el("a", { href: logOf(type, id) }, "All of it in the audit log")),
    )
  }

  function logOf(type, id) {
    return `audit.html?${new URLSearchParams({ entity_type: type, entity_id: id })}`
  }

  function item(change) {
    const fields = (change.fields ?? []).map((name) => FIELDS[name] ?? name.replaceAll("_", " "))
    const verb = ACTS[change.action] ?? WORDS[change.action.split("_")[0]] ?? change.action.replaceAll("_", " ")
    return el(
      "li",
      {},
      el("p", {}, el("strong", {}, change.user_name ?? "The system"), ` ${verb}`, fields.length > 0 && ` ${Format.list(fields)}`),
      el("p", { class: "history-head" }, Dom.ago(change.created_at)),
    )
  }

  return Object.freeze({ build })
})()
