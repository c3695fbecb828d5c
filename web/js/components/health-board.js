"use strict"

/**
 * How the installation is: each service outside, the queue by lane, the schedules, the settings in use; and what to do where something is not well.
 * Read anew every ten seconds while it is in sight. The services themselves are asked only on a click.
 */
const HealthBoard = (() => {
  const { el, fill, icon, byId } = Dom
  const EVERY_MS = 10_000
  const ICONS = Object.freeze({ unasked: "question-circle", well: "check-lg", waiting: "hourglass-split", unwell: "exclamation-triangle-fill", off: "info-circle" })
  const WORDS = Object.freeze({ unasked: "Not asked yet", well: "Well", waiting: "At work", unwell: "Not well", off: "Off" })
  const COUNTS = Object.freeze(["Due", "Later", "Running", "Failed"])
  let started = false
  let reading = false
  let settings = ""

  function show() {
    if (!started) start()
    read()
  }

  function start() {
    started = true
    fill(byId("healthState"), el("p", { class: "loading", role: "status" }, "Looking…"))
    byId("askServicesBtn").addEventListener("click", ask)
    byId("settingsSearch").addEventListener("input", filter)
    setInterval(look, EVERY_MS)
    document.addEventListener("visibilitychange", look)
  }

  function look() {
    if (!document.hidden && AdminTabs.current === "health") read()
  }

  async function read() {
    if (reading) return
    reading = true
    try {
      draw(await APIClient.get("/get-health"))
      fill(byId("healthState"))
    } catch (error) {
      fill(byId("healthState"), Dom.problem(error, el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: read }, "Try again")))
    } finally {
      reading = false
    }
  }

  // ── Drawing ──

  function draw(told) {
    byId("healthPart").hidden = false
    const unwell = [...told.services, ...told.lanes, ...told.schedules, told.workers].filter(({ state }) => state === "unwell").length
    say(byId("healthWord"), unwell === 0 ? "Everything is well" : unwell === 1 ? "One thing needs somebody" : `${unwell} things need somebody`)
    byId("healthWord").dataset.health = unwell === 0 ? "well" : "unwell"
    byId("healthRead").textContent = `Read at ${Format.exactTime(told.now)}; again every 10 seconds`
    fill(byId("serviceRows"), told.services.map(service))
    fill(byId("workerLine"), chip(told.workers.state), el("span", {}, workers(told.workers)), advice(told.workers))
    KeepFocus.during(byId("laneRows"), () => fill(byId("laneRows"), told.lanes.map(lane)), () => byId("askServicesBtn"))
    fill(byId("auditLine"), chip(told.audit.state), el("span", {}, "Audit log: ", audit(told.audit)), advice(told.audit))
    fill(byId("scheduleRows"), told.schedules.map(schedule))
    drawSettings(told.settings)
  }

  /** Heard by screen readers, so only when it is news. */
  function say(node, text) {
    if (node.textContent !== text) node.textContent = text
  }

  function service(one) {
    return row(
      [one.label, null],
      ["State", chip(one.state), what(one)],
      ["Last answer", ago(one.answered_at)],
      ["Last failure", one.failed_at && [ago(one.failed_at), el("br"), el("span", { class: "quiet small" }, one.failed_because)]],
    )
  }

  function workers({ what: text, alive }) {
    if (alive.length === 0) return text
    return `${text}: ${alive.map(({ id }) => id).join(", ")}`
  }

  function audit({ what: text, whole_at, entries }) {
    return [`${text}.`, whole_at && [" The chain was last found whole ", Dom.ago(whole_at), `: ${Format.count(entries, "entry", "entries")}.`]]
  }

  function lane(one) {
    const worked = one.worked_by && el("span", { class: "quiet small" }, `worked on by ${one.worked_by}`)
    return row(
      [one.label, worked],
      ["State", chip(one.state), what(one)],
      ["Due", number(one.waiting)],
      ["Later", number(one.later)],
      ["Running", number(one.running)],
      ["Failed", one.failed > 0 ? failures(one) : number(0)],
    )
  }

  function failures({ failed, label }) {
    const name = `${Format.count(failed, "failed task")} of ${label}: show all failures`
    return el("button", { type: "button", class: "btn btn-sm btn-quiet", "aria-label": name, "data-action": label, onclick: () => TaskPanel.open() }, String(failed))
  }

  function schedule(one) {
    const rhythm = one.at_time ? `each day at ${one.at_time.slice(0, 5)}` : `looks every ${Math.round(one.every_s / 60)} minutes`
    const looked = one.looked_at && el("span", { class: "quiet small" }, "last look ", Dom.ago(one.looked_at))
    return row(
      [one.label, el("span", { class: "quiet small" }, rhythm)],
      ["State", chip(one.state), what(one)],
      ["Last ran", one.last_at ? Dom.ago(one.last_at) : one.looked_at ? "nothing to do yet" : "not yet", looked && el("br"), looked],
      ["Next", one.next_at ? Format.dateTime(one.next_at) : "never by us: left to somebody else"],
    )
  }

  function row([name, below], ...cells) {
    return el(
      "tr",
      { role: "row" },
      el("th", { role: "rowheader", scope: "row" }, el("span", { class: "health-name" }, name), below),
      cells.map(([label, ...content]) => el("td", { role: "cell", "data-label": label, class: COUNTS.includes(label) ? "count-cell" : null }, content.some(Boolean) ? content : el("span", { class: "quiet" }, "–"))),
    )
  }

  function chip(state) {
    return el("span", { class: "chip", "data-health": state }, icon(ICONS[state]), el("span", { class: "chip-state" }, WORDS[state]))
  }

  function what(one) {
    return [one.what && el("p", { class: "health-what" }, one.what), advice(one)]
  }

  function advice({ todo }) {
    return todo && el("p", { class: "todo" }, `${todo}.`)
  }

  function ago(moment) {
    return moment && Dom.ago(moment)
  }

  function number(count) {
    return el("span", { class: count > 0 ? "figure" : "figure quiet" }, String(count))
  }

  // ── Settings in use: they change only with a restart, so they are drawn once ──

  function drawSettings(rows) {
    const text = JSON.stringify(rows)
    if (text === settings) return
    settings = text
    fill(
      byId("installationRows"),
      rows.map((one) =>
        el(
          "tr",
          { role: "row", "data-words": `${one.name} ${one.env} ${one.help} ${one.source}`.toLowerCase() },
          el("th", { role: "rowheader", scope: "row" }, el("span", { class: "health-name" }, one.name), el("span", { class: "quiet small" }, one.help)),
          el("td", { role: "cell", "data-label": "Value" }, el("code", {}, one.value)),
          el("td", { role: "cell", "data-label": "From" }, one.source),
        ),
      ),
    )
    filter()
  }

  function filter() {
    const words = byId("settingsSearch").value.trim().toLowerCase()
    for (const one of byId("installationRows").children) one.hidden = !one.dataset.words.includes(words)
  }

  // ── Asking the services themselves ──

  async function ask() {
    const button = byId("askServicesBtn")
    if (button.getAttribute("aria-disabled") === "true") return
    button.setAttribute("aria-disabled", "true")
    fill(byId("askedServices"), el("p", { class: "loading", role: "status" }, "Asking each of them…"))
    try {
      const { checks } = await APIClient.post("/check-services", {}, { timeoutMs: 120_000 })
      fill(byId("askedServices"), el("ul", { class: "health-checks", role: "status" }, checks.map(checked)))
      read()
    } catch (error) {
      fill(byId("askedServices"), Dom.problem(error))
    } finally {
      button.removeAttribute("aria-disabled")
    }
  }

  function checked({ name, ok, what: text, todo }) {
    return el("li", {}, chip(ok === null ? "off" : ok ? "well" : "unwell"), el("span", {}, el("strong", {}, name), ` ${text}`), todo && el("span", { class: "todo" }, `${todo}.`))
  }

  return Object.freeze({ show })
})()
