"use strict"

/**
 * Which failures this tab has already spoken of, kept across its pages, so that opening a page never announces old failures again while one
 * that happened between two pages still is. Signing out forgets it.
 */
const SeenFailures = (() => {
  const KEY = "rrts_seen_failures"
  const MOST = 500

  /** A task that fails again after a retry is a new failure: it has another attempt number. */
  function key(task) {
    return `${task.id}#${task.attempt ?? Date.parse(task.completed_at)}`
  }

  /**
   * The failures among these that were not announced yet; they count as announced from now on.
   * @param {any[]} tasks the open failures
   * @param {"read"|"event"} source the first list read after signing in holds what is old: it announces nothing
   */
  function take(tasks, source) {
    const kept = load()
    const known = new Set(kept.keys)
    const fresh = tasks.filter((task) => !known.has(key(task)))
    if (fresh.length > 0 || (source === "read" && !kept.begun)) {
      for (const task of fresh) known.add(key(task))
      save({ user: kept.user, begun: kept.begun || source === "read", keys: [...known].slice(-MOST) })
    }
    return source === "read" && !kept.begun ? [] : fresh
  }

  function load() {
    const user = getCurrentUser()?.id ?? ""
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null")
      if (kept?.user === user && Array.isArray(kept.keys)) return kept
    } catch {
      // Unreadable is as good as absent: the next list read begins anew.
    }
    return { user, begun: false, keys: [] }
  }

  function save(kept) {
    sessionStorage.setItem(KEY, JSON.stringify(kept))
  }

  return Object.freeze({ key, take })
})()
