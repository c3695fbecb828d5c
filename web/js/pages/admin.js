"use strict"

/**
 * The page Admin, for administrators: users, the office's settings, the words of its messages, and how the installation is. Here are the users: who
 * may come in, and as what. Search, filters and the chosen user are in the address, so that they can be kept. The other parts are in components/.
 */
{
  const { el, fill, icon, byId } = Dom
  const PARTS = Object.freeze({ settings: OfficeSettings, messages: MessageTemplates, health: HealthBoard })
  /** @type {string|null} */
  let openId = null
  let ready = false

  async function start() {
    if (!(await requireAuth()) || !enforcePageAccess("admin")) return
    UserList.init({ wanted, onOpen: visit, onShowAll: showAll })
    UserCard.init({ onClose: leaveCard })
    UserForm.init({ onSaved: (id, answer) => settle(id, answer) })
    UserActs.init({ onDone: (user, answer, undo) => settle(user.id, answer, undo) })
    UserLink.init({ onDone: (user, answer, undo) => settle(user.id, answer, undo) })
    AdminTabs.init({ onShow: (name) => (name === "users" ? ready && followAddress() : PARTS[name].show()) })
    byId("addUserBtn").addEventListener("click", () => UserForm.open())
    byId("userSearchForm").addEventListener("submit", (event) => event.preventDefault())
    byId("userSearch").addEventListener("input", search)
    for (const id of ["userRole", "userState"]) byId(id).addEventListener("change", search)
    document.addEventListener("task:changed", (event) => hear(event.detail.task))
    document.addEventListener("tasks:list", hearList)
    document.addEventListener("entity:view", viewHere)
    window.addEventListener("popstate", followAddress)
    document.addEventListener("keydown", shortcuts)
    UserMail.init(byId("mailRoute")).then(redraw)
    fillSearch()
    await load()
    ready = true
    const { id, highlight } = wanted()
    if (id) openCard(id, { focus: true, highlight })
  }

  /** What cannot be read is told where the list stands. */
  function load() {
    return UserList.load().then(redraw, () => undefined)
  }

  // ── The address: ?q= &role= &state= &id= &highlight=true ──

  function wanted() {
    const asked = new URLSearchParams(location.search)
    const chosen = (name, id) => [...byId(id).options].find((one) => one.value === asked.get(name))?.value ?? ""
    return {
      q: asked.get("q") ?? "",
      role: chosen("role", "userRole"),
      state: chosen("state", "userState"),
      id: asked.get("id"),
      highlight: asked.get("highlight") === "true",
    }
  }

  function address({ q, role, state, id }) {
    const asked = new URLSearchParams(Object.entries({ q, role, state, id }).filter(([, value]) => value))
    return location.pathname + (asked.size > 0 ? `?${asked}` : "")
  }

  function fillSearch() {
    const { q, role, state } = wanted()
    if (byId("userSearch").value.trim() !== q) byId("userSearch").value = q
    byId("userRole").value = role
    byId("userState").value = state
  }

  function followAddress() {
    fillSearch()
    UserList.filter()
    const { id, highlight } = wanted()
    if (id && id !== openId) openCard(id, { focus: false, highlight })
    if (!id && openId) closeCard()
  }

  function search() {
    fill(byId("savedNote"))
    const typed = { q: byId("userSearch").value.trim(), role: byId("userRole").value, state: byId("userState").value }
    history.replaceState(null, "", address({ ...typed, id: openId }))
    UserList.filter()
  }

  function showAll() {
    history.replaceState(null, "", address({ q: "", role: "", state: "", id: openId }))
    fillSearch()
    UserList.filter()
    byId("userSearch").focus()
  }

  // ── The card ──

  function visit(id) {
    history.pushState(null, "", address({ ...wanted(), id }))
    openCard(id, { focus: true, highlight: false })
  }

  function viewHere(event) {
    if (event.detail.type !== "user") return
    event.preventDefault()
    TaskPanel.close()
    AdminTabs.go("users")
    history.replaceState(null, "", address({ ...wanted(), id: event.detail.id }))
    openCard(event.detail.id, { focus: true, highlight: true })
  }

  function openCard(id, options) {
    openId = id
    byId("adminPage").classList.add("has-card")
    UserList.mark(id)
    UserCard.show(UserList.find(id), options)
  }

  function leaveCard() {
    const row = UserList.rowNode(openId)
    history.pushState(null, "", address({ ...wanted(), id: null }))
    closeCard()
    ;(row?.querySelector("a") ?? byId("userSearch")).focus()
  }

  function closeCard() {
    openId = null
    UserList.mark(null)
    byId("adminPage").classList.remove("has-card")
    UserCard.hide()
  }

  // ── After something was done ──

  /** Says what the server says, and shows the account as it stands now. @param {{text: string, act: () => Promise<void>}} [undo] */
  async function settle(id, answer, undo = undefined) {
    UserMail.begin(id, answer.task_ids)
    fill(byId("savedNote"), el("p", { class: "saved" }, icon("check-lg"), el("span", {}, answer.message), undo && undoButton(undo)))
    await load()
    if (openId !== id) history.pushState(null, "", address({ ...wanted(), id }))
    openCard(id, { focus: true })
    if (undo) byId("savedNote").querySelector("button")?.focus()
  }

  function undoButton({ text, act }) {
    const button = el("button", { type: "button", class: "btn btn-sm btn-quiet", onclick: go }, icon("arrow-counterclockwise"), text)
    async function go() {
      if (button.getAttribute("aria-disabled") === "true") return
      button.setAttribute("aria-disabled", "true")
      try {
        await act()
      } catch (error) {
        fill(byId("savedNote"), Dom.problem(error))
      }
    }
    return button
  }

  // ── Live changes ──

  function hear(task) {
    if (!UserMail.hear(task)) return
    redraw()
    if (task.status === "completed") load() // until when the password is good stands in the list alone
  }

  function hearList({ detail: { tasks, source } }) {
    const news = tasks.filter((task) => UserMail.hear(task)).length > 0
    if (news) redraw()
    if (source === "read" && UserList.find(getCurrentUser()?.id)) catchUp()
  }

  /** Events may have been missed, and accounts have none: looks again. */
  async function catchUp() {
    await UserMail.reread()
    await load()
  }

  function redraw() {
    if (UserList.find(getCurrentUser()?.id)) UserList.draw()
    if (openId) UserCard.show(UserList.find(openId))
  }

  // ── Keys: "/" to the search, Escape closes the card ──

  function shortcuts(event) {
    const typing = event.target.closest("input, select, textarea")
    if (AdminTabs.current !== "users" || document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey) return
    if (event.key === "/" && !typing) {
      event.preventDefault()
      byId("userSearch").focus()
    }
    if (event.key === "Escape" && openId && !typing) leaveCard()
  }

  start()
}
