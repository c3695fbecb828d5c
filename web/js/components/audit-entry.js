"use strict"

/**
 * One entry of the audit log: a row, and below it, when it is opened, all that the entry says.
 *
 * The table's roles are written out, because on a phone its rows are laid out as cards and browsers then forget that they are rows.
 */
const AuditEntry = (() => {
  const { el, icon } = Dom
  /** Those who have a record of activity of their own. */
  const SUBJECTS = Object.freeze(["client", "user"])

  /** @param {any} entry @returns {HTMLElement[]} its row, and the row of its details */
  function build(entry) {
    const inside = el("tr", { role: "row", class: "audit-inside", id: Dom.uid("entry"), hidden: true })
    return [row(entry, inside), inside]
  }

  function row(entry, inside) {
    const button = el(
      "button",
      { type: "button", class: "audit-open", "aria-expanded": "false", "aria-controls": inside.id, onclick: toggle },
      icon("chevron-right"),
      el("span", {}, entry.action_label),
    )
    function toggle() {
      const open = button.getAttribute("aria-expanded") !== "true"
      if (open && !inside.hasChildNodes()) inside.append(el("td", { role: "cell", colspan: 4 }, details(entry)))
      button.setAttribute("aria-expanded", String(open))
      inside.hidden = !open
    }
    return el(
      "tr",
      { role: "row", "data-seq": entry.seq, class: entry.success ? null : "refused" },
      cell("time", el("time", { datetime: entry.created_at }, Format.time(entry.created_at))),
      cell("who", who(entry)),
      cell("what", button, !entry.success && el("p", { class: "audit-why" }, icon("exclamation-circle"), el("span", {}, entry.error_message))),
      cell("about", about(entry)),
    )
  }

  function who(entry) {
    const name = entry.user_id ? el("a", { href: `?user=${encodeURIComponent(entry.user_id)}` }, entry.user_name) : entry.user_name
    const renamed = entry.user_name_now && entry.user_name_now !== entry.user_name
    return [name, " ", el("span", { class: "quiet" }, renamed ? `${Format.role(entry.role)}, now ${entry.user_name_now}` : Format.role(entry.role))]
  }

  function about(entry) {
    if (!entry.entity_id) return null
    const itself = entry.entity_type === "user" && entry.entity_id === entry.user_id
    if (itself) return el("span", { class: "quiet" }, "Their own account")
    return el("a", { href: entriesAbout(entry) }, entry.entity_label ?? unnamed(entry))
  }

  function unnamed({ entity_type: type, entity_id: id }) {
    return SUBJECTS.includes(type) ? `${Format.role(type)} who is no longer there` : `${Format.role(type)} ${id.slice(0, 8)}`
  }

  function entriesAbout({ entity_type: type, entity_id: id }) {
    return SUBJECTS.includes(type)
      ? `?${type}=${encodeURIComponent(id)}`
      : `?entity_type=${encodeURIComponent(type)}&entity_id=${encodeURIComponent(id)}`
  }

  // ── Opened ──

  function details(entry) {
    const said = Object.entries(entry.details ?? {}).map(([key, value]) => [words(key), text(value)])
    const rows = [
      ["When", `${Format.today(entry.created_at)}, ${Format.exactTime(entry.created_at)}`],
      ...said,
      ["Work that followed", entry.tasks.length > 0 && el("ul", { class: "audit-work" }, entry.tasks.map(work))],
      ["From", [entry.ip_address, entry.user_agent].filter(Boolean).join(" · ")],
      ["Entry", `No. ${entry.seq}, ${entry.action}`],
      ["Record id", entry.entity_id],
    ]
    return [
      el(
        "dl",
        { class: "record" },
        rows.filter(([, value]) => value).map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value))),
      ),
      entry.entity_type === "client" &&
        entry.entity_label &&
        el("p", {}, el("a", { href: `clients.html?id=${encodeURIComponent(entry.entity_id)}` }, "Open the client")),
    ]
  }

  function work(task) {
    return el("li", {}, `${task.task_label}: `, el("span", { class: "audit-state", "data-state": task.status }, task.status))
  }

  /** "fields_updated" as "Fields updated". */
  function words(key) {
    return key === "knumber" ? "K number" : Format.role(key)
  }

  function text(value) {
    if (typeof value === "boolean") return value ? "yes" : "no"
    if (Array.isArray(value)) return value.map(text).join(", ")
    if (value && typeof value === "object") return JSON.stringify(value)
    return String(value ?? Format.UNKNOWN)
  }

  function cell(name, ...content) {
    return el("td", { role: "cell", class: `audit-${name}` }, ...content)
  }

  return Object.freeze({ build })
})()
