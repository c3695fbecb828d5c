"use strict"

/**
 * A refused trip: every fault at the field it is about; of several dates, what concerns one of them at that date.
 */
const TripRefusal = (() => {
  const OF_DATE = Object.freeze(["appointmentDateTime", "appointmenttime"])

  /** @param {any} error @param {boolean} many whether the form has several dates @returns {Record<string, string>} by the form's own fields */
  function faults(error, many) {
    /** @type {Record<string, string>} */
    const found = {}
    for (const [where, text] of Object.entries(FormSending.faultsOf(error))) {
      const { row, name } = place(where)
      const ofDate = OF_DATE.includes(name) || (many && name === "driver_assigned" && row !== null)
      const field = ofDate ? TripDates.fieldOf(row ?? 0) : name
      // The same in every row is one fault of the one field they share.
      const shared = !ofDate && where in error.fields
      found[field] ??= many && !shared ? text : text.replace(/^Row \d+: /, "")
    }
    return found
  }

  /** "appointments.2.driver_assigned": the third date's. */
  function place(where) {
    const found = /^appointments\.(\d+)\.(.+)$/.exec(where)
    return found ? { row: Number(found[1]), name: found[2] } : { row: null, name: where }
  }

  return Object.freeze({ faults })
})()
