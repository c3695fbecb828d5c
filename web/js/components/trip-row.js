"use strict"

/**
 * One trip in the list: when, who, where, by whom, and how it stands. A click anywhere opens it; the link is for the keyboard and for new tabs.
 *
 * The table's roles are written out, because on a phone its rows are laid out as cards and browsers then forget that they are rows.
 */
const TripRow = (() => {
  const { el } = Dom

  /** @param {any} trip @param {{onOpen: (id: string) => void, isOpen: boolean, isNew: boolean}} options */
  function build(trip, { onOpen, isOpen, isNew }) {
    const classes = [isOpen && "open", isNew && "new", ["cancelled", "archived"].includes(TripWords.state(trip)) && "over"]
    return el(
      "tr",
      {
        role: "row",
        "data-trip-id": trip.id,
        class: classes.filter(Boolean).join(" ") || null,
        onclick: (event) => !event.target.closest("a, button") && String(getSelection()) === "" && onOpen(trip.id),
      },
      el(
        "td",
        { role: "cell", class: "trip-when" },
        el("strong", { class: "figure" }, Format.time(trip.appointmenttime)),
        el("span", { class: "figure quiet" }, TripWords.span(trip)),
      ),
      el(
        "th",
        { role: "rowheader", scope: "row", class: "trip-who" },
        link(trip, onOpen),
        el("span", { class: "k-number" }, [trip.client_id ? trip.knumber : null, TripWords.kind(trip)].filter(Boolean).join(" · ")),
      ),
      el("td", { role: "cell", class: "trip-where" }, TripWords.where(trip), el("span", { class: "quiet small" }, town(trip))),
      el(
        "td",
        { role: "cell", class: "trip-driver" },
        trip.driver_name ?? el("span", { class: "quiet" }, TripWords.state(trip) === "pending" ? "not yet" : Format.UNKNOWN),
      ),
      el("td", { role: "cell", class: "trip-state" }, el("div", { class: "chips" }, TripWords.chip(trip), TripWords.invoiceChip(trip))),
    )
  }

  /** "Halifax" from "1796 Summer St, Halifax, NS B3H 3A7". */
  function town(trip) {
    const parts = (trip.locationaddress ?? "").split(",")
    return (parts.length > 2 ? parts.at(-2) : parts.length === 2 ? parts[1] : "").trim()
  }

  function link(trip, onOpen) {
    return el(
      "a",
      {
        href: TripFilters.address({ id: trip.id }),
        class: "client-name",
        onclick: (event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return
          event.preventDefault()
          onOpen(trip.id)
        },
      },
      TripWords.who(trip),
    )
  }

  return Object.freeze({ build })
})()
