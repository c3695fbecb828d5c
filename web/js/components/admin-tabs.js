"use strict"

/**
 * The parts of the page Admin: Users, Settings, Messages, Health. Which one is shown is in the address (?tab=), so that it can be kept and sent.
 * Each is a link, and one section #<name>Tab; what was typed in a part stays while another is shown.
 */
const AdminTabs = (() => {
  const { byId } = Dom
  const NAMES = Object.freeze(["users", "settings", "messages", "health"])
  const TITLES = Object.freeze({ users: "Users", settings: "Settings", messages: "Messages", health: "Health" })
  let onShow = (_name) => {}
  let shown = ""

  /** @param {{onShow: (name: string) => void}} options called whenever a part comes into sight */
  function init(options) {
    ;({ onShow } = options)
    for (const link of links()) {
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return
        event.preventDefault()
        go(link.dataset.tab)
      })
    }
    window.addEventListener("popstate", () => show(asked()))
    show(asked())
  }

  /** @returns {string} the part that the address names */
  function asked() {
    const name = new URLSearchParams(location.search).get("tab") ?? ""
    return NAMES.includes(name) ? name : NAMES[0]
  }

  /** @param {string} name @param {Record<string, string>} [more] further conditions of the address */
  function go(name, more = {}) {
    const search = new URLSearchParams({ ...(name === NAMES[0] ? {} : { tab: name }), ...more })
    history.pushState(null, "", location.pathname + (search.size > 0 ? `?${search}` : ""))
    show(name)
  }

  function show(name) {
    const isNew = name !== shown
    shown = name
    for (const one of NAMES) byId(`${one}Tab`).hidden = one !== name
    for (const link of links()) {
      if (link.dataset.tab === name) link.setAttribute("aria-current", "page")
      else link.removeAttribute("aria-current")
    }
    document.title = `${TITLES[name]} · Backhaul`
    if (isNew) onShow(name)
  }

  /** Marks a part in which something is typed and not saved. @param {string} name @param {boolean} on */
  function unsaved(name, on) {
    const mark = links()
      .find((link) => link.dataset.tab === name)
      ?.querySelector(".tab-unsaved")
    if (mark) mark.hidden = !on
  }

  function links() {
    return /** @type {HTMLElement[]} */ ([...byId("adminTabs").querySelectorAll("[data-tab]")])
  }

  return Object.freeze({
    init,
    go,
    unsaved,
    get current() {
      return shown
    },
  })
})()
