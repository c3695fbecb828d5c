"use strict"

/**
 * The hours a driver keeps, Monday to Sunday, as fields of a form: a tick and two times for each day.
 */
const WeekHours = (() => {
  const { el, byId } = Dom
  const { clock } = DriverWeek
  const DAYS = Object.freeze(DriverWeek.NAMES.map((name) => name.toLowerCase()))
  const CLOCK = "([01]?[0-9]|2[0-3]):?[0-5][0-9]"
  const USUAL = Object.freeze({ start: "08:00", end: "16:00" })

  /** Builds the fields, with the usual week as what they are when the form is reset. @param {HTMLElement} root a fieldset */
  function build(root) {
    root.append(
      el(
        "div",
        { class: "full week-hours" },
        DAYS.map((name, at) => line(name, DriverWeek.NAMES[at], at < 5)),
        el(
          "div",
          { class: "week-acts" },
          el("button", { type: "button", class: "btn btn-sm btn-quiet", id: "copyMondayBtn", onclick: copyMonday }, Dom.icon("copy"), "Monday’s hours on all weekdays"),
        ),
      ),
    )
    root.addEventListener("change", ({ target }) => {
      if (target.type !== "checkbox") target.value = clock(target.value)
      else turn(target.value)
    })
    byId("driverForm").addEventListener("reset", () => setTimeout(turnAll))
    turnAll()
  }

  function line(name, word, works) {
    const time = (which) =>
      el("input", {
        id: `${name}_${which}`,
        name: `${name}_${which}`,
        class: "form-control clock",
        inputmode: "numeric",
        autocomplete: "off",
        pattern: CLOCK,
        "data-fault": `${word}: write times like 08:00`,
        value: USUAL[which],
        required: true,
        "data-label": `${word}: ${which}`,
        "aria-label": `${word}, ${which === "start" ? "from" : "until"}`,
      })
    const box = el("input", { type: "checkbox", id: `${name}_works`, name: "works", value: name, checked: works })
    return el(
      "div",
      { class: "field hours-line" },
      el("label", { class: "tick" }, box, ` ${word}`),
      el("span", { class: "hours-times" }, time("start"), el("span", { "aria-hidden": "true" }, "to"), time("end")),
      el("span", { class: "quiet hours-off" }, "day off"),
    )
  }

  /** Times of a day off are not seen, and so must not be wrong. They are not disabled: what is kept of a form keeps them too. */
  function turn(name) {
    const works = byId(`${name}_works`).checked
    for (const which of ["start", "end"]) {
      const field = byId(`${name}_${which}`)
      if (!works && !field.validity.valid) field.value = USUAL[which]
    }
    byId(`${name}_works`).closest(".hours-line").classList.toggle("off", !works)
  }

  function turnAll() {
    for (const name of DAYS) turn(name)
  }

  function copyMonday() {
    for (const name of DAYS.slice(1, 5)) {
      byId(`${name}_works`).checked = byId("monday_works").checked
      for (const which of ["start", "end"]) byId(`${name}_${which}`).value = byId(`monday_${which}`).value
    }
    turnAll()
    Dom.announce("Tuesday to Friday are as Monday.")
  }

  /** @param {any} week {monday: {available, start, end}, …} */
  function fillIn(week) {
    for (const name of DAYS) {
      const { available = false, start, end } = week?.[name] ?? {}
      byId(`${name}_works`).checked = available
      byId(`${name}_start`).value = start ?? USUAL.start
      byId(`${name}_end`).value = end ?? USUAL.end
    }
    turnAll()
  }

  function read() {
    const day = (name) =>
      byId(`${name}_works`).checked
        ? { available: true, start: clock(byId(`${name}_start`).value), end: clock(byId(`${name}_end`).value) }
        : { available: false, start: null, end: null }
    return Object.fromEntries(DAYS.map((name) => [name, day(name)]))
  }

  /** @returns {Record<string, string>} days that end before they begin, by field */
  function faults() {
    const wrong = DAYS.filter((name) => {
      const { available, start, end } = read()[name]
      const both = byId(`${name}_start`).validity.valid && byId(`${name}_end`).validity.valid
      return available && both && start >= end
    })
    return Object.fromEntries(wrong.map((name) => [`${name}_end`, `${Format.role(name)}: the end must be after the start`]))
  }

  return Object.freeze({ build, fillIn, read, turnAll, faults })
})()
