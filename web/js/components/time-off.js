"use strict"

/**
 * A driver's time off from today on: entered, changed, and removed, with a way to take the removal back.
 */
const TimeOff = (() => {
  const { el, fill, icon } = Dom

  /**
   * @param {any} driver @param {any[]} entries as the server answers them
   * @param {{onDone: (answer: any, undo?: {text: string, act: () => Promise<any>}) => void}} options after something was done
   */
  function build(driver, entries, { onDone }) {
    const may = hasFeaturePermission("canManageDrivers")
    return el(
      "section",
      { "aria-labelledby": "timeOffHeading" },
      el(
        "div",
        { class: "section-head" },
        el("h3", { id: "timeOffHeading" }, "Time off"),
        may &&
          el(
            "button",
            { type: "button", class: "btn btn-sm btn-quiet", "data-focus": "add-off", onclick: () => TimeOffForm.open(driver) },
            icon("calendar-plus"),
            "Enter time off",
          ),
      ),
      list(driver, entries, { may, onDone }),
    )
  }

  /** The entries alone. @param {{may: boolean, own?: boolean, onDone: any}} options may: change them; own: the reader is the driver */
  function list(driver, entries, { may, own = false, onDone }) {
    if (entries.length === 0) return el("p", { class: "quiet" }, "None from today on.")
    return el(
      "ul",
      { class: "history" },
      entries.map((entry) => item(driver, entry, { may, own, onDone })),
    )
  }

  function item(driver, entry, { may, own, onDone }) {
    const when = stretch(entry)
    const problems = el("div", {})
    const extra = entry.entry_type === "override_available"
    return el(
      "li",
      { class: "off-line" },
      el(
        "div",
        {},
        el("p", {}, el("strong", {}, when), extra && el("span", { class: "role-badge" }, ` beyond ${own ? "your" : "their"} hours`)),
        entry.reason && el("p", { class: "quiet small" }, entry.reason),
      ),
      may &&
        el(
          "div",
          { class: "history-acts" },
          act("pencil", `change-${entry.id}`, `Change: ${when}`, () => TimeOffForm.open(driver, entry)),
          act("trash", `remove-${entry.id}`, `Remove: ${when}`, (button) => remove(button, entry, problems, onDone)),
        ),
      problems,
    )
  }

  function act(name, key, label, todo) {
    return el(
      "button",
      { type: "button", class: "icon-button", "data-focus": key, "aria-label": label, title: label, onclick: (event) => todo(event.currentTarget) },
      icon(name),
    )
  }

  /** "Dec 1 – Dec 3", "Dec 1, 09:00–12:00". */
  function stretch(entry) {
    const [first, last] = [DriverWeek.day(entry.start_date), DriverWeek.day(entry.end_date)]
    if (entry.all_day) return first === last ? first : `${first} – ${last}`
    if (first === last) return `${first}, ${entry.start_time}–${entry.end_time}`
    return `${first}, ${entry.start_time} – ${last}, ${entry.end_time}`
  }

  async function remove(button, entry, problems, onDone) {
    if (button.getAttribute("aria-disabled") === "true") return
    button.setAttribute("aria-disabled", "true")
    fill(problems)
    try {
      const answer = await APIClient.post("/delete-driver-time-off", { id: entry.id })
      const { id: _gone, ...again } = entry
      const act = () => APIClient.post("/create-driver-time-off", { ...again, driver_id: answer.driver_id })
      onDone(answer, { text: "Put it back", act })
    } catch (error) {
      fill(problems, Dom.problem(error))
    } finally {
      button.removeAttribute("aria-disabled")
    }
  }

  return Object.freeze({ build, list, stretch })
})()
