"use strict"

/**
 * Where somebody is signed in, in words by which they know their own devices, and the way out of there. The server asks for the password again
 * when it was not given for a while; then a dialog asks, and the same is sent once more with it.
 */
const SessionList = (() => {
  const { el, fill, icon, byId } = Dom
  const ICONS = Object.freeze({ phone: "phone", tablet: "tablet", computer: "laptop", program: "terminal", unknown: "question-circle" })
  /** @type {{path: string, body: any}|null} what waits for the password */
  let waiting = null

  /** @param {string} username for password managers @param {any[]} sessions as get-profile has them */
  function init(username, sessions) {
    const [dialog, form] = [byId("proofDialog"), byId("proofForm")]
    byId("proofOwner").value = username
    FormSending.init(form, {
      read: () => ({ ...waiting.body, currentPassword: byId("proofPassword").value }),
      send: (body, once) => APIClient.post(waiting.path, body, once),
      done: proved,
      busy: "One moment…",
    })
    dialog.addEventListener("close", () => {
      waiting = null
      byId("proofPassword").value = ""
    })
    byId("signOutOthersBtn").addEventListener("click", (event) => end(event.currentTarget, "/sign-out-others", {}))
    show(sessions)
  }

  function show(sessions) {
    fill(byId("sessions"), sessions.map(item))
    byId("signOutOthersBtn").hidden = sessions.length < 2
  }

  async function reload() {
    try {
      show((await APIClient.get("/get-profile")).sessions)
    } catch (error) {
      const again = el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: () => reload() }, "Read the list again")
      fill(byId("sessionsAlert"), Dom.problem(error, again))
    }
  }

  function item(session) {
    const place = session.ip_address ?? "an unknown address"
    return el(
      "li",
      { class: "session", "data-session-id": session.id },
      icon(ICONS[session.device_kind] ?? ICONS.unknown),
      el(
        "div",
        { class: "session-text" },
        el("p", { class: "session-device" }, session.device, session.current && el("span", { class: "here" }, "This one")),
        el("p", { class: "quiet" }, `From ${place}, last active `, Dom.ago(session.last_activity_at)),
        el("p", { class: "quiet" }, `Signed in ${Format.dateTime(session.created_at)}, Halifax time`),
      ),
      !session.current &&
        el(
          "button",
          {
            type: "button",
            class: "btn btn-sm btn-quiet",
            "aria-label": `Sign out there: ${session.device}, ${place}`,
            onclick: (event) => end(event.currentTarget, "/sign-out-session", { session_id: session.id }),
          },
          "Sign out there",
        ),
    )
  }

  async function end(button, path, body) {
    if (button.getAttribute("aria-disabled") === "true") return
    button.setAttribute("aria-disabled", "true")
    fill(byId("sessionsAlert"))
    try {
      await done(await APIClient.post(path, body))
    } catch (error) {
      if (error.fields?.currentPassword) ask(path, body)
      else fill(byId("sessionsAlert"), Dom.problem(error))
    } finally {
      button.removeAttribute("aria-disabled")
    }
  }

  function ask(path, body) {
    waiting = { path, body }
    FormSending.begin(byId("proofForm"), path === "/sign-out-others" ? "Sign out everywhere else" : "Sign out there")
    byId("proofDialog").showModal()
    byId("proofPassword").focus()
  }

  async function proved(answer) {
    byId("proofDialog").close()
    await done(answer)
  }

  /** The button that was pressed is gone with its session, so the focus goes to the heading. */
  async function done(answer) {
    await reload()
    byId("sessionsTitle").focus()
    Dom.announce(`${answer.message}.`)
  }

  return Object.freeze({ init, reload })
})()
