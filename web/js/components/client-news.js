"use strict"

/**
 * What was heard of clients' tasks, worked into what was read of the clients. An answer may have been on its way while a task changed: what was
 * heard after it was asked for is newer and wins.
 */
const ClientNews = (() => {
  /** @type {Map<string, {task: any, at: number}>} the last that was heard of each task */
  const heard = new Map()
  let hearings = 0

  function hear(task) {
    hearings += 1
    heard.set(task.id, { task, at: hearings })
  }

  /** @returns {number} to be taken before asking, and given to `apply` with the answer */
  function now() {
    return hearings
  }

  /** @param {any} client as it was read @param {number} since what now() said before it was asked for */
  function apply(client, since) {
    const newer = [...heard.values()].filter(({ task, at }) => at > since && task.entity_id === client.id)
    return { ...client, tasks: newer.map(({ task }) => task).reduce(merged, client.tasks ?? []) }
  }

  /** The newest task of each type, with this one worked in. */
  function merged(tasks, task) {
    const known = tasks.find((one) => one.task_type === task.task_type)
    if (!known) return [...tasks, task]
    if (known.id !== task.id && !isNewer(task, known)) return tasks
    return tasks.map((one) => (one === known ? { ...one, ...task } : one))
  }

  /** News of an older task, e.g. that it is superseded, must not take the place of the newer one. */
  function isNewer(task, known) {
    if (known.created_at) return Date.parse(task.created_at) > Date.parse(known.created_at)
    return !task.superseded_by && TaskChip.isUnfinished(task)
  }

  /** A client as get-client answers it, in the shape of the list. @param {string} id @throws {APIError} */
  async function read(id) {
    const since = now()
    const { client, tasks } = await APIClient.get(`/get-client?id=${encodeURIComponent(id)}`)
    const newestOfEach = [...new Map([...(tasks ?? [])].reverse().map((task) => [task.task_type, task])).values()]
    return apply({ ...client, tasks: client.tasks ?? newestOfEach }, since)
  }

  return Object.freeze({ hear, now, apply, merged, read })
})()
