"use strict"

/**
 * Entries of the audit log, newest first and by day, read page by page. The same for the whole log and for one record of activity.
 */
const AuditList = (() => {
  const { el, fill, icon, byId } = Dom
  const PAGE = 50

  /** @type {any[]} */
  let entries = []
  /** @type {number|null} */
  let next = null
  let loading = new AbortController()
  let question = () => ""
  let onAnswer = (_answer) => {}
  let onClear = () => {}

  /**
   * @param {{question: () => string, onAnswer: (answer: any) => void, onClear: () => void}} options question: the endpoint with its conditions;
   *   onAnswer: hears each first page; onClear: drop all conditions
   */
  function init(options) {
    ;({ question, onAnswer, onClear } = options)
    byId("moreBtn").addEventListener("click", () => ask(next, loading.signal))
  }

  /** Reads the first page anew. */
  async function load() {
    loading.abort()
    loading = new AbortController()
    byId("auditTable").setAttribute("aria-busy", "true")
    if (entries.length === 0) fill(byId("listState"), el("p", { class: "loading", role: "status" }, "Loading…"))
    await ask(null, loading.signal)
  }

  async function ask(before, signal) {
    const more = new URLSearchParams({ limit: String(PAGE), ...(before === null ? {} : { before: String(before) }) })
    const address = question()
    try {
      const answer = await APIClient.get(`${address}${address.includes("?") ? "&" : "?"}${more}`, { signal })
      if (signal.aborted) return
      entries = before === null ? answer.entries : [...entries, ...answer.entries]
      next = answer.next ?? null
      if (before === null) onAnswer(answer)
      draw(before === null ? entries : answer.entries, before === null)
      if (before !== null) row(answer.entries[0]?.seq)?.querySelector("button").focus()
    } catch (error) {
      if (signal.aborted) return
      if (before === null) clear()
      const again = el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: () => ask(before, signal) }, "Try again")
      fill(byId("listState"), Dom.problem(error, again))
    } finally {
      if (!signal.aborted) byId("auditTable").removeAttribute("aria-busy")
    }
  }

  /** What was found earlier is not the answer to what is asked now. */
  function clear() {
    entries = []
    next = null
    draw([], true)
  }

  function draw(fresh, anew) {
    const table = byId("auditTable")
    if (anew) for (const body of [...table.tBodies]) body.remove()
    for (const entry of fresh) day(table, entry).append(...AuditEntry.build(entry))
    table.hidden = entries.length === 0
    byId("moreBtn").hidden = next === null
    byId("listCount").textContent = next === null ? Format.count(entries.length, "entry", "entries") : `The newest ${entries.length} entries`
    fill(byId("listState"), entries.length === 0 && nothing())
  }

  /** The rows of an entry's day: the last group of the table, or a new one. */
  function day(table, entry) {
    const name = Format.today(entry.created_at)
    const last = [...table.tBodies].at(-1)
    if (last?.dataset.day === name) return last
    const body = el(
      "tbody",
      { role: "rowgroup", "data-day": name },
      el("tr", { role: "row", class: "audit-day" }, el("th", { role: "rowheader", scope: "rowgroup", colspan: 4 }, name)),
    )
    table.append(body)
    return body
  }

  function row(seq) {
    return byId("auditTable").querySelector(`[data-seq="${seq}"]`)
  }

  function nothing() {
    return el(
      "div",
      { class: "empty" },
      icon("journal-text"),
      el("p", {}, "Nothing of the kind was done"),
      el("button", { type: "button", class: "btn btn-soft", onclick: () => onClear() }, "Show everything"),
    )
  }

  return Object.freeze({ init, load })
})()
