"use strict"

/**
 * How long one client takes to each clinic, from either address; with the age of the figures, and the clinics that are not measured yet.
 */
const ClinicTimes = (() => {
  const { el, icon } = Dom

  /**
   * @param {any[]} times as get-client answers them: one for each clinic and address
   * @param {{id: string, name: string}[]} pending the clinics still to be measured
   * @param {any[]} tasks the client's
   */
  function build(times, pending, tasks) {
    const running = tasks.some((task) => task.task_type === "calculate_clinic_travel_times" && TaskChip.isUnfinished(task))
    const oldest = times
      .map((time) => time.calculated_at)
      .filter(Boolean)
      .sort()[0]
    const both = times.some((time) => time.place === "secondary")
    return el(
      "section",
      { "aria-labelledby": "clinicTimesTitle" },
      el("h3", { id: "clinicTimesTitle" }, "To the clinics", oldest && !running && el("span", { class: "quiet" }, " ", Dom.ago(oldest))),
      running && el("p", { class: "notice working" }, icon("arrow-repeat"), el("span", {}, "Travel times are still being calculated")),
      times.length + pending.length === 0 && !running && el("p", { class: "quiet" }, "None yet."),
      times.length + pending.length > 0 && table(rows(times, pending), both, running),
      times.length > 0 && el("p", { class: "help" }, "Rounded up, with five minutes to spare: as trips are booked."),
    )
  }

  function rows(times, pending) {
    const byClinic = new Map(pending.map(({ id, name }) => [id, { name, pending: true }]))
    for (const time of times) {
      const clinic = byClinic.get(time.destination_id) ?? { name: time.destination_name }
      byClinic.set(time.destination_id, { ...clinic, [time.place]: time })
    }
    const minutes = (clinic) => clinic.primary?.duration_minutes ?? clinic.secondary?.duration_minutes ?? Infinity
    return [...byClinic.values()].sort((a, b) => minutes(a) - minutes(b) || a.name.localeCompare(b.name))
  }

  function table(clinics, both, running) {
    return el(
      "table",
      { class: both ? "clinic-times both" : "clinic-times" },
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          el("th", { scope: "col" }, "Clinic"),
          el("th", { scope: "col", class: "number" }, "From home"),
          both && el("th", { scope: "col", class: "number" }, "Second address"),
        ),
      ),
      el(
        "tbody",
        {},
        clinics.map((clinic) =>
          el("tr", {}, el("th", { scope: "row" }, clinic.name), cell(clinic, "primary", running), both && cell(clinic, "secondary", running)),
        ),
      ),
    )
  }

  function cell(clinic, place, running) {
    const time = clinic[place]
    const waiting = running ? "still being calculated" : "not measured yet"
    if (!time) return el("td", { class: "number quiet" }, clinic.pending ? waiting : Format.UNKNOWN)
    if (time.duration_minutes === null) return el("td", { class: "quiet reason" }, time.error || "No answer")
    return el(
      "td",
      { class: "number", title: `${Format.km(time.distance_km)}, measured ${Format.dateTime(time.calculated_at)}` },
      el("span", { class: "figure" }, Format.minutes(time.duration_minutes)),
      el("span", { class: "quiet km" }, Format.km(time.distance_km)),
    )
  }

  return Object.freeze({ build })
})()
