"use strict"

/**
 * The one header of every page: where one is, who one is, whether failures arrive at once, and the way out. The page holds an empty
 * <header id="mainNav" class="header-nav" data-page="…"> and nothing else of it.
 *
 * Announces `header:built` after each (re)build, so that whatever lives in it (the failure badge) can take its place again.
 */
const Header = (() => {
  const PAGES = Object.freeze([
    { page: "dashboard", href: "dashboard.html", label: "Dashboard", icon: "house" },
    { page: "operations", href: "operations.html", label: "Operations", icon: "kanban" },
    { page: "appointments", href: "appointments.html", label: "Appointments", icon: "calendar-week" },
    { page: "clients", href: "clients.html", label: "Clients", icon: "people" },
    { page: "drivers", href: "drivers.html", label: "Drivers", icon: "truck-front" },
    { page: "destinations", href: "destinations.html", label: "Destinations", icon: "geo-alt" },
    { page: "finance", href: "invoices.html", label: "Invoices", icon: "receipt" },
    { page: "admin", href: "admin.html", label: "Admin", icon: "person-gear" },
    { page: "audit", href: "audit.html", label: "Audit log", icon: "journal-text" },
  ])
  const THEMES = Object.freeze({
    system: { icon: "circle-half", label: "Colours: as this device" },
    light: { icon: "sun", label: "Colours: light" },
    dark: { icon: "moon-stars", label: "Colours: dark" },
  })
  const STATES = Object.freeze({
    realtime: ["Live", "Changes show at once"],
    stream: ["Live", "Changes show at once"],
    polling: ["Every 30 s", "The live connection is down; the list is read every 30 seconds"],
    connecting: ["Connecting", "Connecting to the server"],
    offline: ["Offline", "The server cannot be reached; trying again by itself"],
    paused: ["Paused", "This page was out of sight; it catches up when it is shown"],
    stopped: ["", ""],
  })
  const { el, icon, fill, byId } = Dom

  function build() {
    const nav = byId("mainNav")
    const user = JWTManager.isAuthenticated() ? getCurrentUser() : null
    fill(
      nav,
      el(
        "div",
        { class: "header-bar" },
        brand(),
        user && pages(nav.dataset.page),
        el("div", { class: "header-user" }, user && liveState(), theme(), user && who(user, nav.dataset.page), user && menuToggle()),
      ),
    )
    nav.dataset.signedIn = String(Boolean(user))
    if (user) filterNavigationByRole(nav)
    showState(TaskMonitor.state)
    document.dispatchEvent(new CustomEvent("header:built"))
  }

  function brand() {
    const { svg } = Dom
    const mark = svg(
      "svg",
      { class: "brand-mark", viewBox: "0 0 32 32", "aria-hidden": "true", focusable: "false" },
      svg("path", { d: "M6 25c0-9 20-5 20-15", class: "brand-road" }),
      svg("path", { d: "M6 25c0-9 20-5 20-15", class: "brand-line" }),
      svg("circle", { cx: 6, cy: 25, r: 3.4, class: "brand-from" }),
      svg("circle", { cx: 26, cy: 8, r: 4.4, class: "brand-to" }),
    )
    return el("a", { class: "brand", href: "dashboard.html" }, mark, el("span", {}, "Backhaul"))
  }

  function pages(current) {
    return el(
      "nav",
      { class: "header-pages", id: "headerPages", "aria-label": "Pages" },
      el(
        "ul",
        {},
        PAGES.map(({ page, href, label, icon: name }) =>
          el("li", { "data-page": page }, el("a", { href, "aria-current": page === current ? "page" : null }, icon(name), label)),
        ),
      ),
    )
  }

  function liveState() {
    return el(
      "span",
      { class: "live-state", id: "liveState" },
      el("span", { class: "live-dot", "aria-hidden": "true" }),
      el("span", { class: "live-text" }),
    )
  }

  function theme() {
    const button = el("button", { type: "button", class: "header-button", id: "themeToggle" })
    const show = () => {
      const { icon: name, label } = THEMES[Theme.choice()]
      button.setAttribute("aria-label", label)
      button.title = label
      fill(button, icon(name))
    }
    button.addEventListener("click", () => {
      Theme.next()
      show()
      Dom.announce(THEMES[Theme.choice()].label)
    })
    show()
    return button
  }

  function who(user, current) {
    const initials = user.fullName
      .split(/\s+/)
      .map((word) => word.charAt(0))
      .slice(0, 2)
      .join("")
      .toUpperCase()
    return [
      el("span", { id: "userAvatar", class: "user-avatar", "aria-hidden": "true" }, initials || "?"),
      el(
        "span",
        { class: "user-text" },
        el(
          "a",
          {
            id: "userName",
            href: "profile.html",
            "aria-label": `${user.fullName}: your profile`,
            "aria-current": current === "profile" ? "page" : null,
            title: "Your profile",
          },
          user.fullName,
        ),
        el("span", { id: "userRoleBadge", class: "role-badge" }, Format.role(user.role)),
      ),
      el(
        "button",
        { type: "button", class: "header-button logout-btn", title: "Sign out", onclick: () => logout() },
        icon("box-arrow-right"),
        el("span", {}, "Sign out"),
      ),
    ]
  }

  function menuToggle() {
    const toggle = el(
      "button",
      {
        type: "button",
        class: "header-button",
        id: "mobileMenuToggle",
        "aria-label": "Menu",
        "aria-expanded": "false",
        "aria-controls": "headerPages",
      },
      icon("list"),
    )
    toggle.addEventListener("click", () => {
      const open = toggle.getAttribute("aria-expanded") !== "true"
      toggle.setAttribute("aria-expanded", String(open))
      byId("mainNav").classList.toggle("menu-open", open)
    })
    return toggle
  }

  function showState(state) {
    const node = document.getElementById("liveState")
    if (!node) return
    const [text, title] = STATES[state] ?? STATES.stopped
    node.dataset.state = state
    node.title = title
    node.hidden = text === ""
    node.querySelector(".live-text").textContent = text
  }

  /** Says on every page, in so many words, that nothing real is being called. */
  async function standIns() {
    const { standIns: names } = await PortalConfig.load()
    if (names.length === 0 || document.getElementById("standIns")) return
    byId("mainNav").after(
      el(
        "aside",
        { id: "standIns", class: "stand-ins", "aria-label": "About this installation" },
        icon("signpost-split"),
        el("p", {}, `Stand-ins for ${Format.list(names)} are in use: nothing leaves this machine`),
      ),
    )
  }

  document.addEventListener("auth:signed-in", build)
  document.addEventListener("tasks:state", (event) => showState(event.detail.state))
  window.addEventListener("pageshow", (event) => {
    // A page taken from the back-forward cache may show someone who has signed out since.
    if (event.persisted) location.reload()
  })
  build()
  standIns()

  return Object.freeze({ build })
})()
