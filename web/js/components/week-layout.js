"use strict"

/**
 * Where trips lie in a week: rows of hours that all seven days share, and lanes for those that overlap.
 *
 * In the week in which the clocks go back, the hour from 1 to 2 has a row twice; six days lack the second. In the week in which they go forward,
 * one day lacks the hour from 2 to 3. So every trip is as long as it takes, and stands at what the clocks show.
 */
const WeekLayout = (() => {
  const HOUR_MS = 3_600_000

  /**
   * @param {string[]} days
   * @returns {{rows: {clock: string, again: boolean}[], lacks: Map<string, number[]>, at: (day: string, ms: number, end?: boolean) => number}}
   *   lacks: the rows that a day does not have; at: how many rows from the top a moment of that day lies, cut off at midnight
   */
  function axis(days) {
    const hours = new Map(days.map((day) => [day, WallTime.hours(day)]))
    const clocks = new Map(days.map((day) => [day, hours.get(day).slice(0, -1).map((ms) => WallTime.clock(ms).slice(0, 2))]))
    const rows = []
    for (let hour = 0; hour < 24; hour += 1) {
      const clock = String(hour).padStart(2, "0")
      const times = Math.max(1, ...[...clocks.values()].map((list) => list.filter((one) => one === clock).length))
      for (let n = 0; n < times; n += 1) rows.push({ clock, again: n > 0 })
    }
    const places = new Map(days.map((day) => [day, rowsOf(clocks.get(day), rows)]))
    const lacks = new Map(days.map((day) => [day, rows.map((_, n) => n).filter((n) => !places.get(day).includes(n))]))

    function at(day, ms, end = false) {
      const begins = hours.get(day)
      const last = begins.length - 2
      const passed = Math.min(Math.max((ms - begins[0]) / HOUR_MS, 0), last + 1)
      const hour = Math.min(end ? Math.max(Math.ceil(passed) - 1, 0) : Math.floor(passed), last)
      return places.get(day)[hour] + passed - hour
    }
    return { rows, lacks, at }
  }

  /** The row of each of a day's hours. */
  function rowsOf(clocks, rows) {
    return clocks.map((clock, n) => rows.findIndex((row) => row.clock === clock && row.again === (clocks[n - 1] === clock)))
  }

  /**
   * Blocks that overlap stand side by side; what there is no room for becomes one block that says how many.
   * @param {{trip: any, from: number, to: number}[]} blocks by beginning
   * @param {number} most lanes
   * @returns {{trips: any[], from: number, to: number, lane: number, lanes: number}[]} several trips: those without room
   */
  function lanes(blocks, most) {
    return clusters(blocks).flatMap((cluster) => {
      const ends = []
      const placed = cluster.map((block) => {
        const free = ends.findIndex((end) => end <= block.from)
        const lane = free < 0 ? ends.length : free
        ends[lane] = block.to
        return { ...block, lane }
      })
      if (ends.length <= most) return placed.map(({ trip, ...block }) => ({ ...block, trips: [trip], lanes: ends.length }))
      const shown = placed.filter(({ lane }) => lane < most - 1).map(({ trip, ...block }) => ({ ...block, trips: [trip], lanes: most }))
      const rest = clusters(placed.filter(({ lane }) => lane >= most - 1)).map((some) => ({
        trips: some.map(({ trip }) => trip),
        from: some[0].from,
        to: Math.max(...some.map(({ to }) => to)),
        lane: most - 1,
        lanes: most,
      }))
      return [...shown, ...rest].sort((a, b) => a.from - b.from || a.lane - b.lane)
    })
  }

  /** Groups of blocks that overlap, directly or by way of others. */
  function clusters(blocks) {
    const groups = []
    let end = -1
    for (const block of blocks) {
      if (block.from < end) groups.at(-1).push(block)
      else groups.push([block])
      end = Math.max(block.from < end ? end : -1, block.to)
    }
    return groups
  }

  return Object.freeze({ axis, lanes })
})()
