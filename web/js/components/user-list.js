"use strict"

/**
 * The list of users: read whole, since an office has hundreds and not millions; searched and filtered here, so that typing is answered at once.
 */
const UserList = (() => {
  const { el, fill, icon, byId } = Dom
  const AT_ONCE = 100
  /** @type {any[]} */
  let users = []
  let shown = AT_ONCE
  let loaded = false
  let reading = 0
  /** @type {Promise<void>} */
  let latest = Promise.resolve()
  /** @type {string|null} */
  let openId = null
  let wanted = () => ({ q: "", role: "", state: "" })
  let onOpen = (_id) => {}
  let onShowAll = () => {}

  /** @param {{wanted: () => {q: string, role: string, state: string}, onOpen: (id: string) => void, onShowAll: () => void}} options */
  function init(options) {
    ;({ wanted, onOpen, onShowAll } = options)
    byId("moreBtn").addEventListener("click", more)
  }

  /** Reads all anew; what is shown stays until there is an answer, and when there is none. @returns {Promise<void>} rejects with an APIError */
  function load() {
    reading += 1
    latest = read(reading)
    return latest
  }

  async function read(mine) {
    byId("userRows").setAttribute("aria-busy", "true")
    if (!loaded) fill(byId("listState"), el("p", { class: "loading", role: "status" }, "Loading the users…"))
    try {
      const answer = await APIClient.get("/get-all-users")
      if (mine !== reading) return latest // whoever waited for this gets what is newer
      users = answer
      loaded = true
      draw()
    } catch (error) {
      if (mine !== reading) return latest
      const again = el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: () => load().catch(() => undefined) }, "Try again")
      fill(byId("listState"), Dom.problem(error, again))
      throw error
    } finally {
      if (mine === reading) byId("userRows").removeAttribute("aria-busy")
    }
  }

  /** @param {string|null} id @returns {any} the user as read last; undefined when nobody has this id */
  function find(id) {
    return users.find((user) => user.id === id)
  }

  /** The search or a filter has changed: from the top. */
  function filter() {
    shown = AT_ONCE
    if (loaded) draw()
  }

  function more() {
    const first = matching()[shown]
    shown += AT_ONCE
    draw()
    rowNode(first.id)?.querySelector("a")?.focus()
  }

  function matching() {
    const { q, role, state } = wanted()
    const words = q.toLowerCase().split(/\s+/).filter(Boolean)
    return users.filter((user) => (!role || user.role === role) && UserState.fits(user, state) && words.every((word) => hasWord(user, word)))
  }

  function hasWord(user, word) {
    const digits = word.replace(/\D/g, "")
    const phone = digits.length >= 3 && /^[\d().+-]+$/.test(word) && (user.phone ?? "").includes(digits)
    return phone || [user.full_name, user.username, user.email].some((text) => text.toLowerCase().includes(word))
  }

  // ── Drawing ──

  function draw() {
    const { q, role, state } = wanted()
    const found = matching()
    const focused = document.activeElement?.closest("#userRows [data-user-id]")?.dataset.userId
    fill(byId("userRows"), found.slice(0, shown).map(row))
    if (focused) rowNode(focused)?.querySelector("a")?.focus()
    byId("userTable").hidden = found.length === 0
    byId("moreBtn").hidden = found.length <= shown
    const filtered = Boolean(q || role || state)
    const count = found.length > shown ? `${shown} of ${Format.count(found.length, "user")}` : Format.count(found.length, "user")
    byId("listCount").textContent = filtered ? `${count} of ${users.length}${q ? ` for “${q}”` : ""}` : count
    fill(byId("listState"), found.length === 0 && nobody(q))
  }

  function row(user) {
    const me = user.id === getCurrentUser()?.id
    const classes = [user.id === openId && "open", !user.is_active && "off"].filter(Boolean).join(" ")
    return el(
      "tr",
      { role: "row", "data-user-id": user.id, class: classes || null },
      el(
        "th",
        { role: "rowheader", scope: "row" },
        el("span", { class: "name-line" }, nameLink(user), me && el("span", { class: "here" }, "You")),
        el("span", { class: "k-number" }, user.email),
      ),
      cell("Role", Format.role(user.role)),
      cell("State", el("div", { class: "chips" }, UserState.chip(user), failure(user))),
      cell("Last sign-in", lastSeen(user)),
    )
  }

  function nameLink(user) {
    const link = el("a", { href: `?id=${encodeURIComponent(user.id)}`, class: "client-name" }, user.full_name)
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return
      event.preventDefault()
      onOpen(user.id)
    })
    return link
  }

  function failure(user) {
    const task = UserMail.failure(user)
    return task && TaskChip.build(task)
  }

  function lastSeen(user) {
    if (!user.last_login) return el("span", { class: "quiet" }, "never")
    const now = user.open_sessions > 0 && el("span", { class: "quiet small" }, `signed in now${user.open_sessions > 1 ? ` (${user.open_sessions})` : ""}`)
    return [Dom.ago(user.last_login), now && el("br"), now]
  }

  function cell(label, ...content) {
    return el("td", { role: "cell", "data-label": label }, ...content)
  }

  function nobody(q) {
    return el(
      "div",
      { class: "empty" },
      icon(q ? "search" : "people"),
      el("p", {}, q ? `No user matches “${q}”` : "No user like that"),
      el("button", { type: "button", class: "btn btn-soft", onclick: onShowAll }, "Show all users"),
    )
  }

  /** Marks the row whose card is open; null for none. */
  function mark(id) {
    const before = openId
    openId = id
    for (const one of [before, id]) if (one) rowNode(one)?.classList.toggle("open", one === id)
  }

  /** @returns {HTMLElement|null} its row, if it is among those shown */
  function rowNode(id) {
    return byId("userRows").querySelector(`[data-user-id="${CSS.escape(id)}"]`)
  }

  return Object.freeze({ init, load, find, filter, draw, mark, rowNode })
})()
