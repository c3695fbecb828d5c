"use strict"

/**
 * How a driver stands now, in a word: available, on a trip, on leave, off hours; or no longer driving.
 */
const DriverState = (() => {
  const { el, icon } = Dom
  const STATES = Object.freeze({
    available: { word: "Available", icon: "check-lg", count: "available" },
    busy: { word: "On a trip", icon: "truck-front", count: "busy" },
    "on-leave": { word: "On leave", icon: "calendar-x", count: "on_leave" },
    offline: { word: "Off hours", icon: "clock", count: "offline" },
  })
  const WORKLOADS = Object.freeze({ minimal: "a quarter of", light: "half", heavy: "one and a half times", maximum: "double" })

  /** @param {any} driver a row of the list, or the record of a card */
  function chip(driver) {
    if (!driver.active) return el("span", { class: "chip", "data-driver-state": "inactive" }, icon("x-circle"), el("span", {}, "No longer active"))
    const { word, icon: name } = STATES[driver.status]
    return el("span", { class: "chip", "data-driver-state": driver.status }, icon(name), el("span", {}, word))
  }

  /** "Heavy: one and a half times the usual"; nothing for the usual. */
  function workload(driver) {
    const much = WORKLOADS[driver.workload_preference]
    return much && `${Format.role(driver.workload_preference)}: ${much} the usual`
  }

  return Object.freeze({ STATES, chip, workload })
})()
