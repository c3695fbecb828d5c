"use strict"

/**
 * A refused trip: every fault at the field it is about; of several dates, what concerns one of them at that date.
 */
const TripRefusal = (() => {
  const OF_DATE = Object.freeze(["appointmentDateTime", "appointmenttime"])

  /** @param {HTMLFormElement} form @param {any} error @param {boolean} many whether the form has several dates */
  function show(form, error, many) {
    /** @type {Record<string, string>} */
    const faults = {}
    for (const [where, text] of Object.entries(error.fields)) {
      const { row, name } = place(where)
      const ofDate = OF_DATE.includes(name) || (many && name === "driver_assigned" && row !== null)
      const field = ofDate ? TripDates.fieldOf(row ?? 0) : name
      // The same in every row is one fault of the one field they share.
      faults[field] ??= many && ofDate ? text : text.replace(/^Row \d+: /, "")
    }
    const listed = new Set(Object.values(error.fields))
    error.errors.filter((text) => !listed.has(text)).forEach((text, n) => (faults[`other-${n}`] = text))
    const named = Object.keys(faults).length > 0
    FormFaults.show(form, faults, named && error.status === 400 ? undefined : error)
  }

  /** "appointments.2.driver_assigned": the third date's. */
  function place(where) {
    const found = /^appointments\.(\d+)\.(.+)$/.exec(where)
    return found ? { row: Number(found[1]), name: found[2] } : { row: null, name: where }
  }

  return Object.freeze({ show })
})()
