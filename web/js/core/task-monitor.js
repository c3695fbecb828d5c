"use strict"

/**
 * Learns of tasks and trips as they change and tells the page by events:
 *
 *   task:changed  {task}            any change of a task this person may see (live feeds only)
 *   task:failed   {task}            a failure this tab has not announced before: the one to speak of
 *   trip:changed  {trip}            {id, gone, days}: a trip this person may see has changed, or is gone from those (live feeds only); trip-news.js
 *   tasks:list    {tasks, source}   the open failures, newest first; source "read" (from the server) or "event"
 *   tasks:state   {state}           realtime | stream | polling | connecting | offline | paused | stopped
 *   tasks:ready   {}                a live feed is connected, perhaps anew: what is shown is read again, as nothing is said twice
 *   tasks:error   {error, doing}    something asked of the server did not work; doing "read" | "dismiss" | "undo" | "retry"
 *
 * Events are never replayed, so the list is read once after each connection, whenever the page is shown again, every 30 s while there is no live
 * feed, and seldom beside one. A tab hidden for a minute lets its connection go (a browser has six per server) and reads nothing.
 */
class TaskMonitor {
  static defaults = Object.freeze({
    supabaseUrl: null,
    supabaseAnonKey: null,
    pollingInterval: 30_000,
    onError: null,
    webhookEndpoint: null,
    safetyFactor: 10,
    hiddenMs: 60_000,
  })

  static isInitialized = false
  static failedTaskCount = 0
  static state = "stopped"

  static #options = TaskMonitor.defaults
  /** @type {TaskLine|null} */
  static #line = null
  static #run = new AbortController()
  static #open = new OpenFailures()
  /** @type {Promise<boolean>|null} */
  static #reading = null
  static #readAgain = false
  static #failedReads = 0
  static #unreachable = false
  static #pollTimer = 0
  static #hideTimer = 0

  // ── Lifecycle ──

  /** @param {Partial<typeof TaskMonitor.defaults>} [options] */
  static async init(options = {}) {
    TaskMonitor.stop()
    if (!JWTManager.isAuthenticated()) return
    const run = new AbortController()
    TaskMonitor.#run = run
    TaskMonitor.isInitialized = true
    const config = await PortalConfig.load()
    if (run.signal.aborted) return
    const told = { supabaseUrl: config.supabaseUrl, supabaseAnonKey: config.supabaseAnonKey, pollingInterval: config.pollMs }
    TaskMonitor.#options = Object.freeze({ ...TaskMonitor.defaults, ...told, ...options })
    TaskMonitor.#line = new TaskLine(TaskMonitor.#feeds(), {
      state: () => TaskMonitor.#lineChanged(),
      ready: () => {
        TaskMonitor.refresh()
        TaskMonitor.#tell("tasks:ready", {})
      },
      task: (task, bare) => TaskMonitor.#hear(task, bare),
      trip: (trip) => TaskMonitor.#tell("trip:changed", { trip }),
      error: (error) => TaskMonitor.#options.onError?.(error),
    })
    TaskMonitor.#showState()
    TaskMonitor.#line.start()
    await TaskMonitor.refresh()
  }

  static stop() {
    TaskMonitor.#run.abort()
    TaskMonitor.#line?.stop()
    TaskMonitor.#line = null
    clearTimeout(TaskMonitor.#pollTimer)
    clearTimeout(TaskMonitor.#hideTimer)
    TaskMonitor.#open = new OpenFailures()
    TaskMonitor.#reading = null
    TaskMonitor.#readAgain = false
    TaskMonitor.#failedReads = 0
    TaskMonitor.#unreachable = false
    TaskMonitor.failedTaskCount = 0
    TaskMonitor.isInitialized = false
    TaskMonitor.#showState()
  }

  /** Reads the list now. One reading at a time; a call meanwhile is answered by one more. @returns {Promise<boolean>} whether it could be read */
  static refresh() {
    if (TaskMonitor.#reading) {
      TaskMonitor.#readAgain = true
      return TaskMonitor.#reading
    }
    const { signal } = TaskMonitor.#run
    TaskMonitor.#reading = TaskMonitor.#read(signal).finally(() => {
      if (signal.aborted) return
      TaskMonitor.#reading = null
      TaskMonitor.#schedulePoll()
      if (!TaskMonitor.#readAgain) return
      TaskMonitor.#readAgain = false
      TaskMonitor.refresh()
    })
    return TaskMonitor.#reading
  }

  /** Whether this person sees everybody's failures. */
  static isAdminOrSupervisor() {
    return hasFeaturePermission("canSeeAllFailedTasks")
  }

  // ── What a person does. Each resolves to whether it worked; why not is told by tasks:error ──

  /** Hides one failure. @param {string} id @returns {Promise<boolean>} */
  static async dismissTask(id) {
    return (await TaskMonitor.#ask("dismiss", "/dismiss-task", { task_id: id }, () => [id])) !== null
  }

  /** Hides the person's own failures, or with `everybody` all that a supervisor or admin sees. @returns {Promise<boolean>} */
  static async dismissAllTasks(scope = {}) {
    return (await TaskMonitor.dismissAll(scope)) !== null
  }

  /** Like dismissAllTasks, but says which, so that it can be undone. @returns {Promise<string[]|null>} null when it did not work */
  static async dismissAll({ everybody = false } = {}) {
    const answer = await TaskMonitor.#ask(
      "dismiss",
      "/dismiss-all-tasks",
      everybody ? { everybody: true } : {},
      (said) => said.task_ids ?? [],
    )
    return answer && (answer.task_ids ?? [])
  }

  /** Takes dismissals back. @param {string[]} ids @returns {Promise<boolean>} */
  static async undismiss(ids) {
    const answer = await TaskMonitor.#ask("undo", "/undismiss-task", { task_ids: ids }, () => [])
    if (answer) await TaskMonitor.refresh()
    return answer !== null
  }

  /** Starts a failed task again; what it had finished is not repeated. @param {string} id @returns {Promise<boolean>} */
  static async retryTask(id) {
    return (await TaskMonitor.#ask("retry", "/retry-task", { task_id: id }, () => [id])) !== null
  }

  static async #ask(doing, path, body, gone) {
    const before = TaskMonitor.#open.snapshot()
    try {
      const answer = (await APIClient.post(path, body)) ?? {}
      TaskMonitor.#open.forget(gone(answer), before)
      TaskMonitor.#publish("event")
      return answer
    } catch (error) {
      TaskMonitor.#fail(error, doing)
      // Somebody else may have dealt with it: what is shown must be what is true.
      if (error.status === 404 || error.status === 409) TaskMonitor.refresh()
      return null
    }
  }

  // ── Reading ──

  static async #read(signal) {
    TaskMonitor.#open.beginReading()
    try {
      const answer = await APIClient.get(TaskMonitor.#listPath(), { signal })
      if (signal.aborted) return false
      TaskMonitor.#open.replace(answer)
      TaskMonitor.#failedReads = 0
      TaskMonitor.#unreachable = false
      TaskMonitor.#publish("read")
      return true
    } catch (error) {
      if (signal.aborted) return false
      TaskMonitor.#open.keep()
      TaskMonitor.#failedReads += 1
      TaskMonitor.#unreachable = error.status === 0
      TaskMonitor.#fail(error, "read")
      return false
    } finally {
      if (!signal.aborted) TaskMonitor.#showState()
    }
  }

  static #listPath() {
    return TaskMonitor.#options.webhookEndpoint ?? (TaskMonitor.isAdminOrSupervisor() ? "/get-all-failed-tasks" : "/get-failed-tasks")
  }

  static #schedulePoll() {
    clearTimeout(TaskMonitor.#pollTimer)
    const line = TaskMonitor.#line
    if (!line || line.state === "resting") return
    const { pollingInterval, safetyFactor } = TaskMonitor.#options
    const stretch = line.isLive ? safetyFactor : 2 ** Math.min(3, TaskMonitor.#failedReads)
    TaskMonitor.#pollTimer = setTimeout(() => TaskMonitor.refresh(), pollingInterval * stretch * (0.85 + Math.random() * 0.3))
  }

  // ── Listening ──

  static #feeds() {
    const { supabaseUrl: url, supabaseAnonKey: key } = TaskMonitor.#options
    const stream = new StreamFeed()
    if (!url) return [stream]
    const trips = hasPageAccess("appointments")
    const everybody = TaskMonitor.isAdminOrSupervisor()
    const realtime = new RealtimeFeed({ url, key: key ?? "", userId: getCurrentUser()?.id ?? "", everybody, trips })
    // Drivers and clients see no row of the table, but a view of their own trips, of which only our own server tells.
    return trips ? [realtime, stream] : [stream, realtime]
  }

  static #lineChanged() {
    TaskMonitor.#showState()
    const state = TaskMonitor.#line?.state
    if (state === "broken" || state === "unavailable") TaskMonitor.refresh()
    else TaskMonitor.#schedulePoll()
  }

  /** @param {boolean} bare a row straight from the table, without the names that the list adds */
  static #hear(task, bare) {
    TaskMonitor.#open.hear(task)
    TaskMonitor.#tell("task:changed", { task })
    TaskMonitor.#publish("event")
    if (bare && OpenFailures.isOpen(task)) TaskMonitor.refresh()
  }

  // ── Telling ──

  static #publish(source) {
    const tasks = TaskMonitor.#open.list
    TaskMonitor.failedTaskCount = tasks.length
    const fresh = SeenFailures.take(tasks, source)
    TaskMonitor.#tell("tasks:list", { tasks, source })
    for (const task of fresh) TaskMonitor.#tell("task:failed", { task })
  }

  static #showState() {
    const line = TaskMonitor.#line
    let state = "stopped"
    if (line?.state === "resting") state = "paused"
    else if (line?.isLive) state = line.state
    else if (line && (navigator.onLine === false || TaskMonitor.#unreachable)) state = "offline"
    else if (line) state = line.state === "connecting" ? "connecting" : "polling"
    if (TaskMonitor.state === state) return
    TaskMonitor.state = state
    TaskMonitor.#tell("tasks:state", { state })
  }

  static #fail(error, doing) {
    TaskMonitor.#options.onError?.(error)
    TaskMonitor.#tell("tasks:error", { error, doing })
  }

  static #tell(name, detail) {
    document.dispatchEvent(new CustomEvent(name, { detail }))
  }

  // ── The page around it ──

  static watchPage() {
    document.addEventListener("auth:signed-in", () => TaskMonitor.init())
    document.addEventListener("auth:ready", () => TaskMonitor.#begin())
    document.addEventListener("auth:signed-out", () => TaskMonitor.stop())
    document.addEventListener("visibilitychange", () => (document.hidden ? TaskMonitor.#hidden() : TaskMonitor.#shown()))
    // Older pages ask nobody for leave (requireAuth); theirs begins half a second after they are there.
    document.addEventListener("DOMContentLoaded", () => setTimeout(() => TaskMonitor.#begin(), 500))
    window.addEventListener("online", () => TaskMonitor.#shown())
    window.addEventListener("offline", () => {
      TaskMonitor.#line?.drop()
      TaskMonitor.#showState()
    })
  }

  /** Where there is somebody to tell, and unless it runs already. */
  static #begin() {
    if (window.TaskNotifications && JWTManager.isAuthenticated() && !TaskMonitor.isInitialized) TaskMonitor.init()
  }

  static #hidden() {
    clearTimeout(TaskMonitor.#hideTimer)
    TaskMonitor.#hideTimer = setTimeout(() => {
      clearTimeout(TaskMonitor.#pollTimer)
      TaskMonitor.#line?.rest()
    }, TaskMonitor.#options.hiddenMs)
  }

  static #shown() {
    clearTimeout(TaskMonitor.#hideTimer)
    if (!TaskMonitor.#line) return
    TaskMonitor.#line.wake()
    TaskMonitor.refresh()
  }
}

window.TaskMonitor = TaskMonitor
TaskMonitor.watchPage()
