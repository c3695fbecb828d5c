"use strict"

/**
 * Which driver, or which client, an account is: on the card of somebody with one of these roles, and the dialog in which it is chosen. An account
 * that is linked to nobody sees no trips, and its card says so.
 */
const UserLink = (() => {
  const { el, fill, icon, byId } = Dom
  const PAUSE_MS = 200
  const PAGES = Object.freeze({ driver: "drivers", client: "clients" })
  let onDone = async (_user, _answer, _undo) => {}
  /** @type {any} whose link is being chosen */
  let choosing = null
  let asked = 0
  let timer = 0

  /** @param {{onDone: (user: any, answer: any, undo?: {text: string, act: () => Promise<void>}) => Promise<void>}} options */
  function init(options) {
    ;({ onDone } = options)
    const dialog = byId("linkModal")
    byId("linkForm").addEventListener("submit", (event) => event.preventDefault())
    byId("linkSearch").addEventListener("input", () => {
      clearTimeout(timer)
      timer = setTimeout(search, PAUSE_MS)
    })
    for (const button of dialog.querySelectorAll("[data-close]")) button.addEventListener("click", () => dialog.close())
  }

  /** @param {any} user @param {(error: Error) => void} onRefused @returns {HTMLElement|null} for the card; nothing for other roles */
  function part(user, onRefused) {
    if (!(user.role in PAGES)) return null
    const linked = user.linked_to !== null
    return el(
      "section",
      { class: "user-link", "aria-label": "Whose trips they see" },
      linked
        ? el("p", {}, icon("link-45deg"), el("span", {}, "Sees the trips of ", whom(user)))
        : el("p", { class: "unlinked" }, icon("info-circle"), el("span", {}, `Linked to no ${user.role} yet: this account sees no trips.`)),
      el(
        "div",
        { class: "user-acts" },
        button(user, "link", "link-45deg", linked ? `Choose another ${user.role}` : `Choose the ${user.role}`, () => open(user), linked ? "btn-quiet" : "btn-primary"),
        linked && button(user, "unlink", "x-circle", "Unlink", () => unlink(user, onRefused), "btn-quiet"),
      ),
    )
  }

  function whom(user) {
    const id = user.driver_id ?? user.client_id
    if (!hasPageAccess(PAGES[user.role])) return user.linked_to
    return el("a", { href: `${PAGES[user.role]}.html?id=${encodeURIComponent(id)}` }, user.linked_to)
  }

  function button(user, name, iconName, label, todo, look) {
    return el(
      "button",
      { type: "button", class: `btn btn-sm ${look}`, "data-focus": name, onclick: todo },
      icon(iconName),
      label,
      el("span", { class: "visually-hidden" }, `: ${user.full_name}`),
    )
  }

  // ── Choosing ──

  function open(user) {
    choosing = user
    byId("linkTitle").textContent = `Which ${user.role} is ${user.full_name}?`
    byId("linkSearchLabel").textContent = user.role === "driver" ? "Name or e-mail" : "Name or K number"
    byId("linkSearch").value = user.linked_to ? "" : user.full_name.split(" ")[0]
    fill(byId("linkProblems"))
    fill(byId("linkChoices"))
    byId("linkModal").showModal()
    byId("linkSearch").focus()
    byId("linkSearch").select()
    search()
  }

  async function search() {
    asked += 1
    const mine = asked
    const q = byId("linkSearch").value.trim()
    try {
      const { people } = await APIClient.get(`/get-linkable?${new URLSearchParams({ role: choosing.role, q })}`)
      if (mine === asked) draw(people, q)
    } catch (error) {
      if (mine === asked) fill(byId("linkProblems"), Dom.problem(error))
    }
  }

  function draw(people, q) {
    fill(byId("linkProblems"))
    const none = q ? `No ${choosing.role} matches “${q}”` : `There are no ${PAGES[choosing.role]} yet`
    byId("linkCount").textContent = people.length === 0 ? none : people.length < 20 ? Format.count(people.length, choosing.role) : `The first 20; type more to find others`
    fill(byId("linkChoices"), people.map((one) => el("li", {}, choice(one))))
  }

  function choice(one) {
    const mine = one.user_id === choosing.id
    const taken = one.user_id !== null && !mine
    const state = mine ? "linked to this account" : taken && `has an account: ${one.user_name}`
    return el(
      "button",
      { type: "button", class: "link-choice", "aria-disabled": taken || mine ? "true" : null, onclick: () => !taken && !mine && link(one) },
      el("span", { class: "client-name" }, one.name),
      el("span", { class: "quiet small" }, [one.detail, state].filter(Boolean).join(" · ")),
    )
  }

  async function link(one) {
    const user = choosing
    try {
      const answer = await APIClient.post("/link-user", { id: user.id, [`${user.role}_id`]: one.id })
      byId("linkModal").close()
      await onDone(user, answer)
    } catch (error) {
      fill(byId("linkProblems"), Dom.problem(error))
    }
  }

  async function unlink(user, onRefused) {
    const back = { id: user.id, driver_id: user.driver_id, client_id: user.client_id }
    const act = async () => onDone(user, await APIClient.post("/link-user", back))
    try {
      await onDone(user, await APIClient.post("/link-user", { id: user.id }), { text: "Undo", act })
    } catch (error) {
      onRefused(error)
    }
  }

  return Object.freeze({ init, part })
})()
