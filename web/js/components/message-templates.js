"use strict"

/**
 * The words of the text messages: all kinds in a list, one of them in the editor beside it, with what it comes to as it is typed. What is typed and
 * not saved is kept for each kind while the page is open, and for the one in the editor over the end of a session (form-draft.js).
 */
const MessageTemplates = (() => {
  const { el, fill, icon, byId } = Dom
  const KINDS = Object.freeze({
    booked: "Booked",
    assigned: "Assigned",
    changed: "Changed",
    unassigned: "No longer theirs",
    cancelled: "Cancelled",
    reminder: "Reminder",
  })
  const WHEN = Object.freeze({
    booked: "when a trip is booked for them",
    changed: "when their trip moves to another time",
    cancelled: "when their trip is cancelled",
    reminder: "before the pickup, as the settings say",
    assigned: "when a trip is given to them",
    unassigned: "when a trip is given to somebody else",
  })
  const FIRST = "client-booked"
  /** @type {any[]} */
  let templates = []
  /** @type {Map<string, string>} what is typed and not saved, by template */
  const drafts = new Map()
  let open = ""
  let started = false

  /** Reads the templates anew; what is typed and not saved stays. */
  async function show() {
    if (!started) start()
    if (templates.length === 0) fill(byId("messagesState"), el("p", { class: "loading", role: "status" }, "Loading the messages…"))
    try {
      const answer = await APIClient.get("/get-message-templates")
      templates = answer.templates
      if (templates.length > 0) {
        fill(byId("messagesState"))
        byId("messagesPart").hidden = false
        MessageEditor.chips(answer.placeholders)
        choose(wanted())
      }
    } catch (error) {
      fill(byId("messagesState"), Dom.problem(error, el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: show }, "Try again")))
    }
  }

  function start() {
    started = true
    MessageEditor.init({ onTyped: keep, onSaved: saved })
    window.addEventListener("popstate", () => AdminTabs.current === "messages" && templates.length > 0 && choose(wanted()))
  }

  /** @returns {string} which the address names: ?message=client-reminder */
  function wanted() {
    const name = new URLSearchParams(location.search).get("message") ?? FIRST
    return templates.some((one) => idOf(one) === name) ? name : FIRST
  }

  function idOf({ audience, kind }) {
    return `${audience}-${kind}`
  }

  // ── The list ──

  function draw() {
    const focused = document.activeElement?.closest("[data-message]")?.dataset.message
    fill(byId("messageList"), group("client", "To the client"), group("driver", "To the driver"))
    if (focused) byId("messageList").querySelector(`[data-message="${focused}"]`)?.focus()
    AdminTabs.unsaved("messages", drafts.size > 0)
  }

  function group(audience, title) {
    const entries = templates.filter((one) => one.audience === audience).sort((one, other) => place(one) - place(other))
    return el("section", { "aria-label": title }, el("h2", {}, title), el("ul", {}, entries.map((one) => el("li", {}, entry(one)))))
  }

  function place(template) {
    return Object.keys(KINDS).indexOf(template.kind)
  }

  function entry(template) {
    const id = idOf(template)
    const link = el(
      "a",
      { href: `?tab=messages&message=${id}`, class: "message-entry", "data-message": id, "aria-current": id === open ? "true" : null },
      el(
        "span",
        { class: "message-name" },
        KINDS[template.kind] ?? template.kind,
        template.body !== template.usual_body && el("span", { class: "here" }, "Own words"),
        drafts.has(id) && el("span", { class: "here" }, "Not saved"),
      ),
      el("span", { class: "message-says quiet" }, template.preview.text),
    )
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return
      event.preventDefault()
      AdminTabs.go("messages", { message: id })
      choose(id)
      byId("messageBody").focus()
    })
    return link
  }

  // ── The editor ──

  function choose(id) {
    const template = templates.find((one) => idOf(one) === id)
    const restored = open === "" ? MessageEditor.typed() : null // by form-draft.js, before the templates were read
    open = id
    if (restored && MessageEditor.draftName() === id) drafts.set(id, restored)
    const to = template.audience === "client" ? "To the client" : "To the driver"
    MessageEditor.open(template, id, `${to}, ${WHEN[template.kind] ?? "as it happens"}`, KINDS[template.kind] ?? template.kind, drafts.get(id))
    draw()
  }

  function keep(text) {
    const template = templates.find((one) => idOf(one) === open)
    if (text === template.body) drafts.delete(open)
    else drafts.set(open, text)
    draw()
  }

  /** Another may have been chosen meanwhile, and what is typed there stays. @returns {boolean} whether it is the one in the editor */
  function saved(template, body) {
    const id = idOf(template)
    if (drafts.get(id) === body) drafts.delete(id)
    templates = templates.map((one) => (idOf(one) === id ? template : one))
    if (open === id) choose(id)
    else draw()
    return open === id
  }

  return Object.freeze({ show })
})()
