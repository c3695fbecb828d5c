"use strict"

/**
 * Keeps one live feed connected for as long as the page is looked at: tries for ever, with back-off and jitter, and goes over to the next feed
 * when one is not available here. `state` is a feed's own state while it is live, else: connecting | broken | unavailable | resting | stopped.
 */
class TaskLine {
  static backOffMs = 1_000
  static longestBackOffMs = 30_000

  state = "connecting"
  #feeds
  #on
  #ended = new AbortController()
  #call = new AbortController()
  #breaks = 0
  #wake = () => {}

  /**
   * @param {(StreamFeed|RealtimeFeed)[]} feeds in order of preference
   * @param {{state: () => void, ready: () => void, task: (task: any, bare: boolean) => void, trip: (trip: any) => void, error: (error: Error) => void}} on
   */
  constructor(feeds, on) {
    this.#feeds = feeds
    this.#on = on
  }

  get isLive() {
    return this.state === StreamFeed.state || this.state === RealtimeFeed.state
  }

  async start() {
    const { signal } = this.#ended
    while (!signal.aborted) {
      if (this.state === "resting") await this.#pause(null)
      const feed = this.#feeds.find((one) => one.available)
      if (!feed) return this.#become("unavailable")
      await this.#listen(feed)
      if (signal.aborted) return
      if (this.state === "resting") continue
      // A single break is mended before anybody need know; from the second on the list is polled.
      this.#become(this.#breaks < 2 ? "connecting" : "broken")
      await this.#pause(this.#backOff())
    }
  }

  stop() {
    this.state = "stopped"
    this.#ended.abort()
    this.#call.abort()
    this.#wake()
  }

  /** Lets the connection go until wake(). */
  rest() {
    if (this.state === "stopped" || this.state === "unavailable") return
    this.#become("resting")
    this.#call.abort()
  }

  /** Gives up a connection known to be dead; the next try comes after the usual pause. */
  drop() {
    this.#call.abort()
  }

  /** Tries now instead of after the pause. */
  wake() {
    if (this.state === "resting") this.#become("connecting")
    this.#wake()
  }

  async #listen(feed) {
    this.#call = new AbortController()
    const { signal } = this.#call
    try {
      await feed.listen({
        signal,
        onReady: () => {
          this.#breaks = 0
          this.#become(feed.constructor.state)
          this.#on.ready()
        },
        onTask: (task) => this.#on.task(task, feed instanceof RealtimeFeed),
        onTrip: (trip) => this.#on.trip(trip),
      })
    } catch (error) {
      if (signal.aborted) return
      this.#breaks += 1
      this.#on.error(error)
    }
  }

  #become(state) {
    if (this.state === state || this.state === "stopped") return
    this.state = state
    this.#on.state()
  }

  #backOff() {
    const most = Math.min(TaskLine.longestBackOffMs, TaskLine.backOffMs * 2 ** Math.max(0, this.#breaks - 1))
    return most / 2 + (Math.random() * most) / 2
  }

  /** @param {number|null} ms null: until woken */
  #pause(ms) {
    return new Promise((resolve) => {
      const timer = ms === null ? 0 : setTimeout(done, ms)
      function done() {
        clearTimeout(timer)
        resolve(undefined)
      }
      this.#wake = done
    })
  }
}
