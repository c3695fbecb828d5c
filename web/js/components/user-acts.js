"use strict"

/**
 * What an administrator does to an account besides editing it. What cannot be taken back asks first; what can, offers it afterwards.
 */
const UserActs = (() => {
  const { el, icon } = Dom
  let onDone = async (_user, _answer, _undo) => {}

  /** @param {{onDone: (user: any, answer: any, undo?: {text: string, act: () => Promise<void>}) => Promise<void>}} options called with the server's answer */
  function init(options) {
    ;({ onDone } = options)
  }

  /** @param {any} user @param {(error: Error) => void} onRefused shows a refusal of what asks nothing first @returns {HTMLElement[]} the buttons that fit this account now */
  function buttons(user, onRefused) {
    const me = user.id === getCurrentUser()?.id
    const locked = UserState.of(user) === "locked"
    return [
      button(user, "edit", "pencil", "Edit", () => UserForm.open(user), locked || !user.is_active ? "btn-quiet" : "btn-soft"),
      locked && button(user, "unlock", "unlock", "Unlock", (node) => at(node, onRefused, () => send("/unlock-user", user)), "btn-primary"),
      !me && user.is_active && button(user, "reset", "key", user.must_change_password ? "Send a new password" : "Reset password", () => reset(user)),
      !me && user.open_sessions > 0 && button(user, "sign-out", "box-arrow-right", "Sign out everywhere", () => signOut(user)),
      !me && user.is_active && button(user, "turn", "person-slash", "Deactivate", () => deactivate(user)),
      !user.is_active && button(user, "turn", "person-check", "Activate", (node) => at(node, onRefused, () => turnOn(user)), "btn-primary"),
    ].filter(Boolean)
  }

  function button(user, name, iconName, label, todo, look = "btn-quiet") {
    return el(
      "button",
      {
        type: "button",
        class: `btn btn-sm ${look}`,
        "data-focus": name,
        onclick: (event) => todo(event.currentTarget),
      },
      icon(iconName),
      label,
      el("span", { class: "visually-hidden" }, `: ${user.full_name}`),
    )
  }

  async function at(node, onRefused, act) {
    if (node.getAttribute("aria-disabled") === "true") return
    node.setAttribute("aria-disabled", "true")
    try {
      await act()
    } catch (error) {
      onRefused(error)
    } finally {
      node.removeAttribute("aria-disabled")
    }
  }

  /** @param {{text: string, act: () => Promise<void>}} [undo] */
  async function send(path, user, more = {}, undo = undefined) {
    await onDone(user, await APIClient.post(path, { id: user.id, ...more }), undo)
  }

  function turnOn(user) {
    return send("/update-user", user, { is_active: true })
  }

  // ── What asks first ──

  function reset(user) {
    const first = user.must_change_password
      ? "The password they were sent before is void."
      : `The password they have is void at once${user.open_sessions > 0 ? ", and they are signed out everywhere" : ""}.`
    return ask("/password-reset", user, {
      title: `${user.must_change_password ? "Send a new password to" : "Reset the password of"} ${user.full_name}?`,
      says: [first, `A temporary one goes to ${user.email}: good for 24 hours, and for one thing, choosing their own.`],
      action: user.must_change_password ? "Send a new password" : "Reset password",
    })
  }

  function signOut(user) {
    const ends = `${Format.count(user.open_sessions, "session")} ${user.open_sessions === 1 ? "ends" : "end"} at once.`
    return ask("/end-user-sessions", user, {
      title: `Sign ${user.full_name} out everywhere?`,
      says: [`${ends} They can sign in again with their password.`],
      action: "Sign out everywhere",
    })
  }

  function deactivate(user) {
    const out = user.open_sessions > 0 ? "They are signed out at once, and cannot sign in any more." : "They cannot sign in any more."
    const question = {
      title: `Deactivate ${user.full_name}'s account?`,
      says: [out, "Nothing of what they have done is removed, and the account can be activated again."],
      action: "Deactivate",
      danger: true,
    }
    return ask("/delete-user", user, question, { text: "Undo", act: () => turnOn(user) })
  }

  async function ask(path, user, question, undo = undefined) {
    const answer = await ConfirmDialog.ask({ ...question, act: () => APIClient.post(path, { id: user.id }) })
    if (answer) await onDone(user, answer, undo)
  }

  return Object.freeze({ init, buttons })
})()
