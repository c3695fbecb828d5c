"use strict"

/**
 * The audit log, and one client's or user's record of activity: `?client=` or `?user=`.
 *
 * The conditions are in the address, so that they can be kept and sent. Not the words that were typed, which may be somebody's name: those stay in
 * this tab's history, where a reload and "back" find them.
 */
{
  const { el, fill, byId } = Dom
  const IN_ADDRESS = Object.freeze(["from", "to", "action", "refused", "entity_type", "entity_id"])
  const TYPED = Object.freeze(["who", "q"])
  const SUBJECTS = Object.freeze(["client", "user"])
  const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

  /** What the server says that people do. @type {{action: string, label: string}[]} */
  let actions = []

  async function start() {
    if (!(await requireAuth()) || !enforcePageAccess("audit")) return
    AuditList.init({ question: () => question(), onAnswer, onClear: showAll })
    byId("auditFilters").addEventListener("submit", search)
    byId("clearBtn").addEventListener("click", () => go({}))
    byId("downloadBtn").addEventListener("click", download)
    window.addEventListener("popstate", show)
    SealLine.init(byId("sealLine"))
    await show()
  }

  // ── What is asked for ──

  /** The conditions of the address and of this tab's history. */
  function wanted() {
    const asked = new URLSearchParams(location.search)
    const found = Object.fromEntries([...IN_ADDRESS, ...SUBJECTS].map((name) => [name, asked.get(name) ?? ""]))
    if (ID.test(asked.get("who") ?? "")) found.who = asked.get("who")
    for (const name of TYPED) if (history.state?.[name]) found[name] = history.state[name]
    return found
  }

  function subject() {
    const asked = wanted()
    const type = SUBJECTS.find((name) => asked[name])
    return type ? { type, id: asked[type] } : null
  }

  /** @param {string} [file] "/export" for the whole as a file */
  function question(file = "") {
    const asked = wanted()
    const whose = subject()
    const names = whose ? ["from", "to", whose.type] : [...IN_ADDRESS, ...TYPED]
    const conditions = new URLSearchParams(names.filter((name) => asked[name]).map((name) => [name, asked[name]]))
    return `/${whose ? "get-activity-record" : "get-audit-log"}${file}${conditions.size > 0 ? `?${conditions}` : ""}`
  }

  function search(event) {
    event.preventDefault()
    const form = /** @type {HTMLFormElement} */ (event.currentTarget)
    const typed = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value).trim()]))
    if (typed.from && typed.to && typed.to < typed.from) [typed.from, typed.to] = [typed.to, typed.from]
    const { entity_type, entity_id } = wanted()
    go({ entity_type, entity_id, ...typed, refused: typed.refused ? "true" : "" })
  }

  /** Asks anew by these conditions; whose record it is stays, unless it is the log that is shown. */
  function go(conditions) {
    const asked = new URLSearchParams()
    const whose = subject()
    if (whose) asked.set(whose.type, whose.id)
    for (const name of IN_ADDRESS) if (conditions[name]) asked.set(name, conditions[name])
    const typed = Object.fromEntries(TYPED.filter((name) => conditions[name]).map((name) => [name, conditions[name]]))
    history.pushState(typed, "", location.pathname + (asked.size > 0 ? `?${asked}` : ""))
    return show()
  }

  function showAll() {
    byId("auditTitle").focus() // the button goes
    return go({})
  }

  // ── What is shown ──

  function show() {
    const asked = wanted()
    const whose = subject()
    for (const field of byId("auditFilters").querySelectorAll("[data-log]")) field.hidden = Boolean(whose)
    const form = /** @type {HTMLFormElement} */ (byId("auditFilters"))
    for (const name of ["from", "to", ...TYPED]) form.elements.namedItem(name).value = asked[name] ?? ""
    byId("auditRefused").checked = asked.refused === "true"
    offer()
    fill(byId("auditProblem"))
    byId("onlyAbout").hidden = true
    if (whose) head("Record of activity", "")
    else head("Audit log", "Who did what, and when")
    return AuditList.load()
  }

  function head(title, text) {
    byId("auditTitle").textContent = title
    byId("auditSubject").textContent = text
    document.title = `${title} · Backhaul` // nobody's name: it would stay in the browser's history
  }

  function onAnswer(answer) {
    const whose = answer.subject
    if (whose) {
      head("Record of activity", whose.label ?? `${Format.role(whose.type)} who is no longer there`)
      onlyAbout(
        whose.type === "client" ? "Everything done to this client’s record, views included." : "Everything done by this person, or to their account.",
        "The whole audit log",
        el("a", { href: "audit.html" }),
      )
      return
    }
    actions = answer.actions
    offer()
    const { entity_id: id, entity_type: type } = wanted()
    if (id) {
      const label = answer.entries.find((entry) => entry.entity_id === id)?.entity_label
      onlyAbout(`Only about ${label ?? `one ${Format.role(type).toLowerCase()}`}.`, "Show everything", el("a", { href: "audit.html" }))
    }
  }

  function onlyAbout(text, way, link) {
    link.textContent = way
    fill(byId("onlyAbout"), el("span", {}, text), " ", link)
    byId("onlyAbout").hidden = false
  }

  /** Fills the choice of actions; what is chosen stays chosen, even one that nobody has ever done. */
  function offer() {
    const chosen = wanted().action
    const missing = chosen && !actions.some(({ action }) => action === chosen)
    fill(
      byId("auditAction"),
      el("option", { value: "" }, "Anything"),
      [...actions, ...(missing ? [{ action: chosen, label: Format.role(chosen) }] : [])].map(({ action, label }) =>
        el("option", { value: action }, label),
      ),
    )
    byId("auditAction").value = chosen
  }

  // ── A file to take away ──

  async function download() {
    const button = byId("downloadBtn")
    if (button.getAttribute("aria-disabled") === "true") return
    button.setAttribute("aria-disabled", "true")
    fill(byId("auditProblem"))
    Dom.announce("Fetching the file.")
    try {
      const file = await APIClient.download(question("/export"))
      Dom.save(file)
      Dom.announce(`Downloaded ${file.name}.`)
    } catch (error) {
      fill(byId("auditProblem"), Dom.problem(error))
    } finally {
      button.removeAttribute("aria-disabled")
    }
  }

  start()
}
