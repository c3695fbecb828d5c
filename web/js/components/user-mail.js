"use strict"

/**
 * What became of the mail that brings somebody a temporary password. Where no mail server is set it reaches nobody by itself: then it says where
 * the mail lies, so that the administrator does not wait in vain with the person.
 */
const UserMail = (() => {
  const { el, fill, icon } = Dom
  const TYPES = Object.freeze(["send_invitation", "send_temporary_password"])
  const KEPT = ", and on the terminal where Backhaul runs."
  /** @type {Map<string, any>} the newest mail task of each user that this page has heard of */
  const tasks = new Map()
  let route = { sends: true, kept_in: null, stand_ins: false }

  /** @param {HTMLElement} place where it is said that mails do not go out */
  async function init(place) {
    try {
      route = await APIClient.get("/get-mail-route")
    } catch {
      return // The list itself says when the server cannot be reached; a mail is then told by its task alone.
    }
    if (route.sends || route.stand_ins) return // Every page says already that stand-ins are in use.
    const where = el("span", {}, "No mail server is set: nothing is sent. Mails to users lie in ", el("code", {}, route.kept_in), KEPT)
    fill(place, el("p", { class: "notice" }, icon("envelope"), where))
  }

  /** What a form may promise. */
  function promise() {
    return route.sends ? "A temporary password goes to them by mail." : "The mail with a temporary password stays on the machine where Backhaul runs."
  }

  /** After a save that sends one. @param {string} userId @param {Record<string, string>} taskIds the answer's task_ids */
  function begin(userId, taskIds = {}) {
    const type = TYPES.find((name) => taskIds[name])
    if (type) hear({ id: taskIds[type], task_type: type, entity_type: "user", entity_id: userId, status: "pending", attempt: 0 })
  }

  /** @param {any} task @returns {boolean} whether it is such a mail, and news */
  function hear(task) {
    if (task.entity_type !== "user" || !TYPES.includes(task.task_type)) return false
    const known = tasks.get(task.entity_id)
    if (known && known.id !== task.id && task.created_at && Date.parse(task.created_at) < Date.parse(known.created_at)) return false
    tasks.set(task.entity_id, { ...(known?.id === task.id ? known : {}), ...task })
    return true
  }

  /** Looks again at those under way: events may have been missed. @returns {Promise<boolean>} whether there was news */
  async function reread() {
    const unfinished = [...tasks.values()].filter(TaskChip.isUnfinished)
    const read = await APIClient.batch(unfinished.map(({ id }) => ({ path: `/get-task?id=${encodeURIComponent(id)}` })))
    return read.filter((one) => one.ok && hear(one.data.task)).length > 0
  }

  /** @param {any} user @returns {HTMLElement|null} a line about the mail, for the card */
  function line(user) {
    const task = tasks.get(user.id)
    if (!task || !user.must_change_password || !user.is_active) return null
    if (OpenFailures.isOpen(task)) {
      return el("div", { class: "user-mail" }, el("p", {}, TaskChip.build(task)), el("p", { class: "task-item-error" }, task.error_message), TaskItem.hint(task))
    }
    if (TaskChip.isUnfinished(task)) {
      return el("p", { class: "notice working" }, icon("hourglass-split"), el("span", {}, `A temporary password is on its way to ${user.email}.`))
    }
    if (task.status !== "completed") return null
    if (route.sends) return el("p", { class: "notice working" }, icon("envelope"), el("span", {}, `A temporary password was sent to ${user.email}. Only the newest mail counts.`))
    return el(
      "p",
      { class: "notice" },
      icon("envelope"),
      el("span", {}, `The mail to ${user.email} was sent to nobody. It lies in `, el("code", {}, route.kept_in), KEPT),
    )
  }

  /** @param {any} user @returns {any} the task, when it has failed and nobody has dealt with it */
  function failure(user) {
    const task = tasks.get(user.id)
    return task && OpenFailures.isOpen(task) ? task : null
  }

  return Object.freeze({ init, promise, begin, hear, reread, line, failure })
})()
