"use strict"

/**
 * One client in the list: who, where, how far the nearest driver is, and how the background work stands.
 *
 * The table's roles are written out, because on a phone its rows are laid out as cards and browsers then forget that they are rows.
 */
const ClientRow = (() => {
  const { el } = Dom

  /** @param {any} client @param {{onOpen: (id: string, link: HTMLElement) => void, isOpen: boolean, isNew: boolean}} options */
  function build(client, { onOpen, isOpen, isNew }) {
    return el(
      "tr",
      { role: "row", "data-client-id": client.id, class: [isOpen && "open", isNew && "new"].filter(Boolean).join(" ") || null },
      el("th", { role: "rowheader", scope: "row" }, nameLink(client, onOpen), el("span", { class: "k-number" }, client.knumber), badge(client)),
      cell("Town", [client.city, client.prov].filter(Boolean).join(", ")),
      cell("Phone", client.phone ? el("a", { href: `tel:${client.phone}`, class: "plain" }, Format.phone(client.phone)) : Format.UNKNOWN),
      cell("Nearest driver", driveTimes(client)),
      cell("Background work", work(client)),
    )
  }

  /** "Inactive" or "Archived"; nothing for those who are driven. */
  function badge(client) {
    const status = client.status ?? (client.active === false ? "inactive" : "active")
    return status === "active" ? null : el("span", { class: "role-badge" }, Format.role(status))
  }

  /** "Roe, Jane": the list is sorted by last name. */
  function fullName(client) {
    return [client.lastname, client.firstname].filter(Boolean).join(", ") || "(no name)"
  }

  /** The one sentence on drive times, for the row and the card alike. */
  function driveTimes(client) {
    const task = (client.tasks ?? []).find((one) => one.task_type === "calculate_drive_times")
    const { nearest_minutes: nearest, count = 0 } = client.drive_times ?? {}
    if (task && TaskChip.isUnfinished(task)) return el("span", { class: "quiet" }, "Travel times are still being calculated")
    if (nearest === null || nearest === undefined) {
      return el("span", { class: "quiet" }, task?.status === "completed" ? "No route from any driver" : "Not calculated")
    }
    return [
      el("span", { class: "figure" }, el("strong", {}, Format.minutes(nearest)), " away,"),
      " ",
      el("span", { class: "figure quiet" }, count === 1 ? "the only driver" : `nearest of ${count}`),
    ]
  }

  function nameLink(client, onOpen) {
    const link = el("a", { href: `?id=${encodeURIComponent(client.id)}`, class: "client-name" }, fullName(client))
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return
      event.preventDefault()
      onOpen(client.id, link)
    })
    return link
  }

  function work(client) {
    const tasks = [...(client.tasks ?? [])].sort((a, b) => String(a.task_type).localeCompare(String(b.task_type)))
    if (tasks.length === 0) return el("span", { class: "quiet" }, Format.UNKNOWN)
    return [el("div", { class: "chips" }, tasks.map(TaskChip.build)), tasks.map(TaskChip.reason)]
  }

  function cell(label, ...content) {
    return el("td", { role: "cell", "data-label": label }, ...content)
  }

  return Object.freeze({ build, badge, fullName, driveTimes })
})()
