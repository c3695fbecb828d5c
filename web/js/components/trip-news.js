"use strict"

/**
 * Has a part of a page read again when trips have changed, also those that others change: a moment after the first change of a burst, then not more
 * often than every `apartMs`; and whenever changes may have been missed, because nothing is said twice: once they are heard again, and when the page
 * comes back into sight. Out of sight nothing is read.
 */
const TripNews = (() => {
  const FIRST_MS = 50
  const APART_MS = 600

  /**
   * @param {{read: () => unknown, concerns?: (trip: {id: string, gone: boolean, days: string[]|null}) => boolean, apartMs?: number}} options
   *   read: must not reject. concerns: whether a change is of what is shown; days: at the office, before and after; null when they are not known
   * @returns {() => void} asks for a reading, for whatever else it is needed
   */
  function follow({ read, concerns = () => true, apartMs = APART_MS }) {
    let timer = 0
    let endedAt = -Infinity
    let isReading = false
    let again = false

    function soon() {
      if (document.hidden || timer) return
      if (isReading) again = true
      else timer = setTimeout(act, Math.max(FIRST_MS, endedAt + apartMs - performance.now()))
    }

    async function act() {
      timer = 0
      isReading = true
      try {
        await read()
      } finally {
        isReading = false
        endedAt = performance.now()
      }
      if (!again) return
      again = false
      soon()
    }

    document.addEventListener("trip:changed", (event) => concerns(event.detail.trip) && soon())
    document.addEventListener("tasks:ready", soon)
    document.addEventListener("visibilitychange", soon)
    return soon
  }

  return Object.freeze({ follow })
})()
