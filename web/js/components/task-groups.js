"use strict"

/**
 * Failures grouped by cause, for those who see everybody's: an outage is one thing to read and one button, not fifty.
 */
const TaskGroups = (() => {
  const { el, icon } = Dom
  const OPEN_UP_TO = 5

  /**
   * @param {any[]} tasks newest first
   * @param {{onRetry: (task: any) => void, onDismiss: (task: any) => void, onRetryAll: (tasks: any[]) => void}} acts
   * @returns {HTMLElement[]} the largest group first; a failure alone in its cause stands as it is
   */
  function build(tasks, acts) {
    const byCause = new Map()
    for (const task of tasks) byCause.set(cause(task), [...(byCause.get(cause(task)) ?? []), task])
    return [...byCause.values()]
      .sort((a, b) => b.length - a.length)
      .map((group) => (group.length === 1 ? TaskItem.build(group[0], acts) : groupNode(group, acts)))
  }

  /** @returns {string} the same for failures of one cause */
  function cause(task) {
    return `${task.task_type}|${task.error_code || task.error_message}`
  }

  function groupNode(group, acts) {
    const [newest] = group
    const heading = Dom.uid("cause")
    const alike = group.every((task) => task.error_message === newest.error_message)
    const retryAll = {
      type: "button",
      class: "btn btn-sm btn-soft",
      "data-action": `retry-all-${cause(newest)}`,
      onclick: () => acts.onRetryAll(group),
    }
    return el(
      "div",
      { class: "task-group", role: "group", "aria-labelledby": heading },
      el("h3", { id: heading, class: "task-item-title" }, el("span", { class: "count" }, `${group.length} ×`), ` ${Format.task(newest)}`),
      el("p", { class: "task-item-error" }, alike ? newest.error_message : `${newest.error_message} (the newest; the others are alike)`),
      TaskItem.hint(newest),
      el("button", retryAll, icon("arrow-clockwise"), `Retry all ${group.length}`),
      el(
        "details",
        { open: group.length <= OPEN_UP_TO },
        el("summary", {}, "Each of them"),
        group.map((task) => TaskItem.build(task, { ...acts, brief: true })),
      ),
    )
  }

  return Object.freeze({ build, cause })
})()
