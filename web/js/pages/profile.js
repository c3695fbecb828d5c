"use strict"

/**
 * The profile page: what everybody looks after themselves.
 */
{
  const { el, fill, byId } = Dom

  async function start() {
    if (!(await requireAuth()) || !enforcePageAccess("profile")) return
    document.addEventListener("profile:saved", (event) => showName(event.detail.user))
    document.addEventListener("profile:password", () => SessionList.reload())
    await load()
  }

  async function load() {
    fill(byId("profileState"), el("p", { class: "loading", role: "status" }, "Loading…"))
    try {
      const { user, password_rules: rules, sessions } = await APIClient.get("/get-profile")
      fill(byId("profileState"))
      byId("profileRole").textContent = Format.role(user.role)
      ProfileDetails.init(user)
      PasswordForm.init(user.username, rules)
      SessionList.init(user.username, sessions)
      byId("profilePage").hidden = false
    } catch (error) {
      const again = el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: () => load() }, "Try again")
      fill(byId("profileState"), Dom.problem(error, again))
    }
  }

  /** The name in the header, here and on every page opened from now on in this tab. */
  function showName({ fullName, email }) {
    SessionStore.keepUser({ ...getCurrentUser(), fullName, email })
    Header.build()
  }

  start()
}
