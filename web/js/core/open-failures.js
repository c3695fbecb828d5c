"use strict"

/**
 * The failures that are open: failed, not dismissed, not superseded. A list read from the server and changes heard meanwhile come together here.
 */
class OpenFailures {
  /** @type {Map<string, any>} */
  #tasks = new Map()
  /** @type {Map<string, any>|null} what was heard while a list was being read: it is newer than that list */
  #heard = null

  static isOpen(task) {
    return task.status === "failed" && !task.dismissed_at && !task.superseded_by
  }

  /** Newest first. */
  get list() {
    const ended = (task) => Date.parse(task.completed_at ?? task.created_at) || 0
    return [...this.#tasks.values()].sort((a, b) => ended(b) - ended(a))
  }

  /** @returns {Map<string, any>} as they are now, to compare with later */
  snapshot() {
    return new Map(this.#tasks)
  }

  /** Call when a list is asked for; `replace` or `keep` follows. */
  beginReading() {
    this.#heard = new Map()
  }

  /** @param {any} answer of the server: {data}, {tasks} or a bare array @throws {APIError} when it holds no list */
  replace(answer) {
    const rows = Array.isArray(answer) ? answer : (answer?.data ?? answer?.tasks)
    if (!Array.isArray(rows))
      throw new APIError("The list of failed tasks could not be read", 200, { why: "The server's answer holds no list." })
    const heard = this.#heard ?? new Map()
    this.#tasks = new Map(rows.filter((task) => task?.id).map((task) => [task.id, task]))
    this.#heard = null
    for (const task of heard.values()) this.hear(task)
  }

  /** The list could not be read: what was known stays. */
  keep() {
    this.#heard = null
  }

  /** Brings the list up to date with one changed task. A success closes older failures of the same work on the same record. */
  hear(task) {
    this.#heard?.set(task.id, task)
    if (OpenFailures.isOpen(task)) this.#tasks.set(task.id, { ...this.#tasks.get(task.id), ...task })
    else this.#tasks.delete(task.id)
    if (task.status !== "completed") return
    for (const [id, older] of this.#tasks) {
      const same = older.entity_id === task.entity_id && older.task_type === task.task_type
      if (same && Date.parse(older.created_at) <= Date.parse(task.created_at)) this.#tasks.delete(id)
    }
  }

  /**
   * Takes these off the list, except one that has failed anew since `before`: a quick retry can fail before its answer is here.
   * @param {string[]} ids
   * @param {Map<string, any>} before
   */
  forget(ids, before) {
    for (const id of ids) {
      const now = this.#tasks.get(id)
      if (now && before.has(id) && SeenFailures.key(now) !== SeenFailures.key(before.get(id))) continue
      this.#tasks.delete(id)
      this.#heard?.set(id, { id, status: "gone" })
    }
  }
}
