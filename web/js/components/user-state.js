"use strict"

/**
 * How an account stands, in one word of the filter and one chip: the list and the card say it alike.
 */
const UserState = (() => {
  const { el, icon } = Dom

  /** What each role may do, in a line; the server decides. */
  const ROLES = Object.freeze({
    admin: "Everything, users and the audit log included.",
    supervisor: "The whole office: clients, trips, drivers, destinations and costs.",
    booking_agent: "Clients and their trips.",
    driver: "Their own trips.",
    client: "Their own trips.",
  })

  /** @param {any} user @returns {"deactivated"|"locked"|"waiting"|"active"} the one that matters most */
  function of(user) {
    if (!user.is_active) return "deactivated"
    if (isAhead(user.locked_until)) return "locked"
    return user.must_change_password ? "waiting" : "active"
  }

  /** @param {any} user @param {string} state of the filter; empty for all */
  function fits(user, state) {
    if (state === "active") return user.is_active
    if (state === "signed-in") return user.open_sessions > 0
    return state === "" || of(user) === state
  }

  function chip(user) {
    const [text, name] = words(user)
    return el("span", { class: "chip", "data-user-state": of(user) }, icon(name), el("span", { class: "chip-state" }, text))
  }

  function words(user) {
    switch (of(user)) {
      case "deactivated":
        return ["Deactivated", "person-slash"]
      case "locked":
        return [`Locked out until ${Format.time(user.locked_until)}`, "clock"]
      case "waiting":
        return [waiting(user), "key"]
      default:
        return ["Active", "check-lg"]
    }
  }

  function waiting({ temporary_until: until }) {
    if (!until) return "No password yet"
    return isAhead(until) ? `Temporary password until ${Format.dateTime(until)}` : "Temporary password ran out"
  }

  function isAhead(moment) {
    const read = Format.date(moment)
    return read !== null && read.getTime() > Date.now()
  }

  return Object.freeze({ ROLES, of, fits, chip })
})()
