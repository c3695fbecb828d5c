"use strict"

/**
 * What is known of one driver, and how their calendar and their drive times stand.
 */
const DriverRecord = (() => {
  const { el } = Dom
  const CALENDARS = Object.freeze({ outlook: "Outlook, their own", apple: "Apple, their own", other: "Their own" })
  const GENDERS = Object.freeze({ female: "Woman", male: "Man", "non-binary": "Non-binary", other: "Other" })

  let onAsked = (_task) => {}

  /** @param {any} data as get-driver-schedule answers it @param {(task: any) => void} asked when a calendar was asked for, with its task */
  function build({ driver, tasks, unanswered }, asked) {
    onAsked = asked
    const town = [driver.home_city, driver.home_province, driver.home_postal_code?.replace(" ", "\u00a0")].filter(Boolean).join(" ")
    const rows = [
      ["Phone", phone(driver.phone)],
      ["Work phone", phone(driver.work_phone)],
      ["E-mail", el("a", { href: `mailto:${encodeURIComponent(driver.email).replace("%40", "@")}` }, driver.email)],
      ["Home", driver.home_address && [driver.home_address, town].filter(Boolean).join(", ")],
      ["Drive times", driveTimes(driver, tasks, unanswered)],
      ["Calendar", calendar(driver, tasks)],
      ["Gender", GENDERS[driver.gender]],
      ["Workload", DriverState.workload(driver)],
      ["Vehicle", driver.vehicle_description],
      ["Notes", driver.notes],
    ]
    return el(
      "dl",
      { class: "record" },
      rows.filter(([, value]) => value).map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value))),
    )
  }

  function phone(number) {
    return number && el("a", { href: `tel:${number}` }, Format.phone(number))
  }

  function newest(tasks, type) {
    return tasks.find((task) => task.task_type === type) // they come newest first
  }

  function driveTimes(driver, tasks, unanswered) {
    const task = newest(tasks, "calculate_driver_drive_times")
    const { count, without_answer: without, calculated_at: at } = driver.drive_times
    if (task && TaskChip.isUnfinished(task)) return el("span", { class: "quiet" }, "Travel times are still being calculated")
    if (count + without === 0) return el("span", { class: "quiet" }, none(driver, task))
    return [
      `To ${Format.count(count, "client")}, `,
      Dom.ago(at),
      without > 0 &&
        el(
          "details",
          { class: "more" },
          el("summary", {}, `${Format.count(without, "client")} without an answer`),
          el(
            "ul",
            { class: "plain-list small" },
            unanswered.map((one) =>
              el("li", {}, el("a", { href: `clients.html?id=${encodeURIComponent(one.client_id)}` }, one.client_name), ` — ${one.error}`),
            ),
          ),
        ),
    ]
  }

  function none(driver, task) {
    if (!driver.home_address) return "None: no home address to measure from"
    if (!driver.active) return "None, while they do not drive"
    return task && OpenFailures.isOpen(task) ? "None: the work failed, see below" : "None yet"
  }

  function calendar(driver, tasks) {
    if (driver.preferred_calendar_type !== "google") return CALENDARS[driver.preferred_calendar_type]
    const task = newest(tasks, "create_driver_calendar")
    if (task && TaskChip.isUnfinished(task)) return el("span", { class: "quiet" }, "Google: is being made and shared")
    if (task && OpenFailures.isOpen(task)) return failed(task)
    const made = driver.google_calendar_connected
    if (!driver.active) return made ? "Google: kept by us, no longer shared with them" : el("span", { class: "quiet" }, "Google: none")
    const words = made ? "Google: kept by us, and shared with them" : "Google: none was made yet"
    return el("div", { class: "with-act" }, el("span", { class: made ? null : "quiet" }, words), hasFeaturePermission("canManageDrivers") && ask(driver, made))
  }

  /** For drivers who were there before their calendars were, and for who does not find theirs. */
  function ask(driver, made) {
    const place = el("div", {})
    const button = el(
      "button",
      { type: "button", class: "btn btn-sm btn-quiet", "data-focus": "ask-calendar", onclick: go },
      made ? "Share again" : "Make it now",
    )
    async function go() {
      if (button.getAttribute("aria-disabled") === "true") return
      button.setAttribute("aria-disabled", "true")
      Dom.fill(place)
      try {
        const { task_ids: ids } = await APIClient.post("/make-driver-calendar", { id: driver.id })
        const task = { id: ids.create_driver_calendar, task_type: "create_driver_calendar", status: "pending", attempt: 0 }
        onAsked({ ...task, entity_type: "driver", entity_id: driver.id, created_at: new Date().toISOString() })
      } catch (error) {
        Dom.fill(place, Dom.problem(error))
      } finally {
        button.removeAttribute("aria-disabled")
      }
    }
    return [button, place]
  }

  function failed(task) {
    const view = el(
      "button",
      { type: "button", class: "btn btn-sm btn-quiet", "data-focus": "view-calendar", onclick: () => TaskPanel.open(task.id) },
      "View the failure",
    )
    return el("div", { class: "with-act calendar-failed" }, el("span", {}, "Google: could not be made or shared"), view)
  }

  return Object.freeze({ build })
})()
