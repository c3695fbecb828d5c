"use strict"

/**
 * One user beside the list: who, how the account stands, what became of the mail to them, and what can be done.
 */
const UserCard = (() => {
  const { el, fill, icon, byId } = Dom
  let onClose = () => {}

  /** @param {{onClose: () => void}} options */
  function init(options) {
    ;({ onClose } = options)
  }

  /**
   * @param {any} user undefined when nobody has the id that was asked for
   * @param {{focus?: boolean, highlight?: boolean}} [options] focus: moves there, for what is read next
   */
  function show(user, { focus = false, highlight = false } = {}) {
    const card = byId("userCard")
    card.hidden = false
    card.classList.toggle("highlight", highlight)
    draw(user)
    if (focus) card.focus()
  }

  function hide() {
    byId("userCard").hidden = true
    fill(byId("userCard"))
  }

  function draw(user) {
    const card = byId("userCard")
    const key = card.contains(document.activeElement) ? document.activeElement.dataset.focus : null
    const close = el("button", { type: "button", class: "btn btn-sm btn-quiet", "data-focus": "close", onclick: () => onClose() }, icon("x-lg"), "Close")
    fill(card, el("header", { class: "client-head" }, el("div", {}, user ? title(user) : el("h2", {}, "There is no such user")), close), user && body(user))
    if (key !== null && key !== undefined) (card.querySelector(`[data-focus="${CSS.escape(key)}"]`) ?? card).focus()
  }

  function title(user) {
    return [el("h2", {}, user.full_name), el("p", { class: "user-title" }, el("span", { class: "role-badge" }, Format.role(user.role)), UserState.chip(user))]
  }

  function body(user) {
    const me = user.id === getCurrentUser()?.id
    const problems = el("div", {})
    const refused = (error) => fill(problems, Dom.problem(error))
    return [
      UserMail.line(user),
      el("div", { class: "user-acts", role: "group", "aria-label": "What to do" }, UserActs.buttons(user, refused)),
      problems,
      UserLink.part(user, refused),
      me && el("p", { class: "quiet small" }, "This is you. ", el("a", { href: "profile.html" }, "Your password and your sessions"), " are on your profile."),
      record(user),
      el(
        "p",
        {},
        el("a", { class: "with-icon", href: `audit.html?user=${encodeURIComponent(user.id)}` }, icon("journal-text"), "Their record of activity"),
      ),
    ]
  }

  function record(user) {
    const wrong = user.failed_login_attempts
    const rows = [
      ["Signs in as", user.username],
      ["E-mail", el("a", { href: `mailto:${encodeURIComponent(user.email).replace("%40", "@")}` }, user.email)],
      ["Phone", user.phone && el("a", { href: `tel:${user.phone}` }, Format.phone(user.phone))],
      ["May use", UserState.ROLES[user.role]],
      ["Last sign-in", user.last_login ? [Dom.ago(user.last_login), `, ${Format.dateTime(user.last_login)}`] : "never"],
      ["Signed in now", user.open_sessions > 0 ? Format.count(user.open_sessions, "session") : "no"],
      ["Wrong passwords", wrong > 0 && `${wrong} lately`],
      ["Account since", Format.today(user.created_at)],
    ]
    return el(
      "dl",
      { class: "record" },
      rows.filter(([, value]) => value).map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value))),
    )
  }

  return Object.freeze({ init, show, hide })
})()
