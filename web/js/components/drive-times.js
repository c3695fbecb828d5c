"use strict"

/**
 * How far each driver is from one client: a chart and a table in one, so that nobody needs eyes for the chart.
 */
const DriveTimes = (() => {
  const { el, svg, icon } = Dom

  /** @param {any[]} legs nearest first, as get-client answers them @param {any[]} tasks the client's: one under way is said */
  function build(legs, tasks) {
    const running = tasks.some((task) => task.task_type === "calculate_drive_times" && TaskChip.isUnfinished(task))
    const longest = Math.max(1, ...legs.map((leg) => leg.duration_minutes ?? 0))
    const calculated = legs
      .map((leg) => leg.calculated_at)
      .filter(Boolean)
      .sort()
      .at(-1)
    return el(
      "section",
      { "aria-labelledby": "driveTimesTitle" },
      el(
        "h3",
        { id: "driveTimesTitle" },
        "Drive times",
        calculated && !running && el("span", { class: "quiet" }, " ", Dom.ago(calculated)),
      ),
      running && el("p", { class: "notice working" }, icon("arrow-repeat"), el("span", {}, "Travel times are still being calculated")),
      legs.length === 0 && !running && el("p", { class: "quiet" }, "None yet."),
      legs.length > 0 &&
        el(
          "table",
          { class: "drive-times" },
          el(
            "thead",
            {},
            el(
              "tr",
              {},
              el("th", { scope: "col" }, "Driver"),
              el("th", { scope: "col" }, "Time"),
              el("th", { scope: "col", class: "number" }, "Distance"),
            ),
          ),
          el(
            "tbody",
            {},
            legs.map((leg) => legRow(leg, longest)),
          ),
        ),
    )
  }

  /** The bar and its figure side by side: the chart is the table. */
  function legRow(leg, longest) {
    const name = el("th", { scope: "row" }, leg.driver_name)
    if (leg.duration_minutes === null || leg.duration_minutes === undefined) {
      return el("tr", {}, name, el("td", { colspan: 2, class: "quiet" }, leg.error || "No answer"))
    }
    const width = Math.max(2, Math.round((leg.duration_minutes / longest) * 100))
    const bar = svg(
      "svg",
      { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" },
      svg("rect", { class: "bar-fill", x: 0, y: 0, width, height: 8, rx: 1 }),
    )
    return el(
      "tr",
      {},
      name,
      el("td", { class: "bar-cell" }, el("div", {}, bar, el("span", { class: "figure" }, Format.minutes(leg.duration_minutes)))),
      el("td", { class: "number" }, Format.km(leg.distance_km)),
    )
  }

  return Object.freeze({ build })
})()
