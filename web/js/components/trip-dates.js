"use strict"

/**
 * When a trip is, or several: a date and a time for each, by the office's clocks. A time that the clocks skip is refused; one that they repeat is
 * asked about.
 */
const TripDates = (() => {
  const { el, icon, byId } = Dom
  const MOST = 52
  let onChange = () => {}

  /** @param {{onChange: () => void}} options */
  function init({ onChange: changed }) {
    onChange = changed
    byId("anotherDate").addEventListener("click", another)
    box().addEventListener("change", ({ target }) => {
      const row = target.closest(".trip-date")
      if (row && !target.name.startsWith("fold")) askWhich(row)
      onChange()
    })
  }

  function box() {
    return byId("tripDates")
  }

  function rows() {
    return /** @type {HTMLElement[]} */ ([...box().querySelectorAll(".trip-date")])
  }

  /** @param {{day: string, clock: string, fold?: string}[]} times @param {boolean} single a trip that is there already has one time */
  function lay(times, single) {
    for (const row of rows()) row.remove()
    for (const time of times) add(time)
    byId("anotherDate").hidden = single
    number()
  }

  /** @param {string} moment @returns {{day: string, clock: string, fold: string}} as a row has it; fold: which of two equal times it is */
  function of(moment) {
    const [day, clock] = [WallTime.day(moment), WallTime.clock(moment)]
    const meant = WallTime.moments(day, clock)
    const minute = Math.floor(Date.parse(moment) / 60_000) * 60_000
    return { day, clock, fold: meant.length === 2 ? String(meant.findIndex((one) => one.getTime() === minute)) : "" }
  }

  /** @returns {{day: string, clock: string, fold: string}[]} what is typed */
  function typed() {
    return rows().map((row) => {
      const [day, clock] = inputs(row)
      return { day: day.value, clock: clock.value, fold: which(row)?.value ?? "" }
    })
  }

  /** @returns {(string|null)[]} the instants meant, as ISO 8601 in UTC; null where it is not clear yet */
  function moments() {
    return rows().map((row) => {
      const [day, clock] = inputs(row)
      const meant = WallTime.isDay(day.value) && clock.value ? WallTime.moments(day.value, clock.value) : []
      const chosen = meant.length === 2 ? meant[Number(which(row)?.value || NaN)] : meant[0]
      return chosen?.toISOString() ?? null
    })
  }

  /** The field to which a fault of a row belongs. @param {number} n */
  function fieldOf(n) {
    return inputs(rows()[n])[1].name
  }

  /** What is said below a row: when the ride begins and ends. @param {number} n @param {...unknown} content */
  function say(n, ...content) {
    const row = rows()[n]
    if (row && !row.querySelector(".trip-date-skipped")) Dom.fill(row.querySelector(".trip-date-note"), ...content)
  }

  // ── Rows ──

  function add({ day, clock, fold = "" }) {
    const row = el(
      "div",
      { class: "trip-date", role: "group" },
      input("Date", "date", { type: "date", min: "2000-01-01", max: "2099-12-31", "data-fault": "Date must be a day, like 2026-12-01" }, day),
      input("Appointment time", "time", { type: "time", "data-fault": "Appointment time must be a time of day, like 09:30" }, clock),
      el("button", { type: "button", class: "icon-button", "aria-label": "Remove this date", onclick: () => remove(row) }, icon("x-lg")),
      el("p", { class: "trip-date-note help" }),
    )
    box().append(row)
    askWhich(row, fold)
    return row
  }

  function input(label, name, attributes, value) {
    const one = /** @type {HTMLInputElement} */ (
      el("input", { id: Dom.uid("when"), name, class: "form-control", "data-label": label, required: true, ...attributes })
    )
    one.value = value
    return el("div", { class: "field" }, el("label", { for: one.id }, label), one)
  }

  function inputs(row) {
    return /** @type {HTMLInputElement[]} */ ([...row.querySelectorAll("input")])
  }

  function which(row) {
    return /** @type {HTMLSelectElement|null} */ (row.querySelector("select"))
  }

  /** The same a week later than the last. */
  function another() {
    const last = typed().at(-1)
    const row = add(last && WallTime.isDay(last.day) ? { ...last, day: WallTime.plus(last.day, 7), fold: "" } : { day: "", clock: "" })
    number()
    inputs(row)[0].focus()
    onChange()
  }

  function remove(row) {
    const left = row.previousElementSibling ?? row.nextElementSibling
    row.remove()
    number()
    inputs(left)[0].focus()
    onChange()
  }

  function number() {
    const all = rows()
    byId("anotherDate").disabled = all.length >= MOST
    all.forEach((row, n) => {
      for (const one of row.querySelectorAll("input, select")) one.setAttribute("name", `${one.getAttribute("name").split(".")[0]}.${n}`)
      row.setAttribute("aria-label", all.length === 1 ? "When" : `Date ${n + 1}`)
      row.querySelector(".icon-button").toggleAttribute("hidden", all.length === 1)
    })
  }

  // ── The two nights ──

  function askWhich(row, fold = "") {
    const [day, clock] = inputs(row)
    const known = WallTime.isDay(day.value) && clock.value !== ""
    const meant = known ? WallTime.moments(day.value, clock.value) : []
    which(row)?.closest(".field")?.remove()
    row.querySelector(".trip-date-skipped")?.remove()
    const skipped = known && meant.length === 0
    clock.dataset.fault = skipped ? skip(day.value, clock.value) : "Appointment time must be a time of day, like 09:30"
    clock.setCustomValidity(skipped ? clock.dataset.fault : "")
    const note = row.querySelector(".trip-date-note")
    if (skipped) {
      Dom.fill(note)
      note.before(el("p", { class: "trip-date-skipped fault", role: "alert" }, icon("exclamation-circle"), el("span", {}, clock.dataset.fault)))
    }
    if (meant.length === 2) note.before(choice(clock, meant, fold))
  }

  function skip(day, clock) {
    const hour = String(Number(clock.slice(0, 2)) + 1).padStart(2, "0")
    return `There is no ${clock} on ${WallTime.short(day)}: the clocks go forward. ${hour}:${clock.slice(3)} is an hour later`
  }

  function choice(clock, meant, fold) {
    const select = /** @type {HTMLSelectElement} */ (
      el(
        "select",
        { id: Dom.uid("which"), name: clock.name.replace("time", "fold"), class: "form-select", "data-label": `Which ${clock.value}`, required: true },
        el("option", { value: "" }, "Choose: the clocks go back this night"),
        meant.map((moment, n) =>
          el("option", { value: n }, `${n === 0 ? "The first" : "The second"} ${clock.value} (${WallTime.zoneName(moment)}), ${n === 0 ? "before" : "after"} the clocks go back`),
        ),
      )
    )
    select.value = fold
    return el("div", { class: "field trip-date-which" }, el("label", { for: select.id }, `Which ${clock.value}?`), select)
  }

  return Object.freeze({ init, of, lay, typed, moments, fieldOf, say })
})()
