"use strict"

/**
 * One day of the operations board as facts: who drives what, what speaks for and against each pair, and where on the time axis a moment lies.
 * Nothing is drawn here.
 */
const BoardDay = (() => {
  const HOUR = 3_600_000
  const LEAST = 0.072 // of the axis: what a trip takes at least, so that its name can be read
  const STILL = "Travel times are still being calculated"
  const RANK = Object.freeze({ free: 0, but: 1, busy: 2 })

  /** @param {any} answer as get-operations-appointments gives it */
  function read(answer) {
    const against = new Map()
    for (const row of answer.conflicts) {
      const pair = key(row.appointment_id, row.driver_id)
      against.set(pair, [...(against.get(pair) ?? []), row])
    }
    const drives = new Set(answer.appointments.map((trip) => trip.driver_assigned))
    return {
      day: answer.day,
      starts: Date.parse(answer.starts),
      ends: Date.parse(answer.ends),
      trips: answer.appointments.filter((trip) => trip.operation_status !== "cancelled"),
      cancelled: answer.appointments.filter((trip) => trip.operation_status === "cancelled").length,
      drivers: answer.drivers.filter((driver) => driver.active || drives.has(driver.id)),
      against,
      times: new Map(answer.drive_times.map((row) => [key(row.client_id, row.driver_id), row])),
    }
  }

  function key(one, other) {
    return `${one} ${other}`
  }

  function tripsOf(board, driverId) {
    return board.trips.filter((trip) => (trip.driver_assigned ?? null) === driverId)
  }

  /** Driven or given up, a trip stays with its driver. */
  function isMovable(trip) {
    return trip.operation_status === "pending" || trip.operation_status === "assigned"
  }

  // ── What speaks for and against a pair ──

  /**
   * @returns {{state: "free"|"but"|"busy", reasons: string[], minutes: number|null, travel: string, wished: boolean}}
   *   but: it can be saved, although something speaks against it. minutes: from the driver's home to the client's
   */
  function verdict(board, trip, driver) {
    const all = board.against.get(key(trip.id, driver.id)) ?? []
    const found = all.filter((one) => one.kind !== "preferred")
    const leg = board.times.get(key(trip.client_id, driver.id))
    return {
      state: !driver.active || found.some((one) => one.hard) ? "busy" : found.length > 0 ? "but" : "free",
      reasons: driver.active ? found.map(reason) : ["No longer drives"],
      minutes: leg?.duration_minutes ?? null,
      travel: travel(trip, leg),
      wished: wishOf(board, trip) === driver.id,
    }
  }

  function travel(trip, leg) {
    if (!trip.client_id) return ""
    if (!leg) return STILL
    return leg.duration_minutes === null ? (leg.error ?? "No travel time could be found") : `${Format.minutes(leg.duration_minutes)} from home`
  }

  /** The driver whom the client asks for, if any: every other pair says so. */
  function wishOf(board, trip) {
    for (const driver of board.drivers) {
      const wish = board.against.get(key(trip.id, driver.id))?.find((one) => one.kind === "preferred")
      if (wish) return wish.id
    }
    return null
  }

  function reason({ kind, label, starts, ends }) {
    const span = `${Format.time(starts)}–${Format.time(ends)}`
    if (kind === "trip") return `Overlaps ${label}, ${span}`
    if (kind === "time_off") return Date.parse(ends) - Date.parse(starts) > 20 * HOUR ? "Time off" : `Time off ${span}`
    return label.charAt(0).toUpperCase() + label.slice(1)
  }

  /** Free ones first, then the shorter drive; the rest of them by name. @returns {{driver: any, verdict: ReturnType<typeof verdict>}[]} */
  function ranked(board, trip) {
    return board.drivers
      .map((driver) => ({ driver, verdict: verdict(board, trip, driver) }))
      .sort(
        (one, other) =>
          RANK[one.verdict.state] - RANK[other.verdict.state] ||
          Number(other.verdict.wished) - Number(one.verdict.wished) ||
          (one.verdict.minutes ?? Infinity) - (other.verdict.minutes ?? Infinity) ||
          one.driver.name.localeCompare(other.driver.name),
      )
  }

  /** What is amiss with a trip where it stands now. @returns {{hard: boolean, reasons: string[]}|null} */
  function amiss(board, trip) {
    const driver = trip.operation_status === "assigned" && board.drivers.find((one) => one.id === trip.driver_assigned)
    if (!driver) return null
    const { state, reasons } = verdict(board, trip, driver)
    return state === "free" ? null : { hard: state === "busy", reasons }
  }

  // ── The axis ──

  /** From the first to the last hour of which there is anything to show. hours: the lines between, with what is written at each */
  function axis(board) {
    const moments = [
      ...board.trips.flatMap((trip) => [trip.pickuptime, trip.drop_off_time]),
      ...board.drivers.flatMap((driver) => [driver.starts, driver.ends]),
    ]
      .filter(Boolean)
      .map((moment) => Date.parse(moment))
    const from = Math.max(board.starts, Math.floor(Math.min(...moments, board.starts + 8 * HOUR) / HOUR) * HOUR)
    const to = Math.min(board.ends, Math.ceil(Math.max(...moments, board.starts + 17 * HOUR) / HOUR) * HOUR)
    const hours = []
    for (let at = from; at < to; at += HOUR) hours.push({ at, label: hourAt(at) })
    return { from, to, hours }
  }

  function hourAt(at) {
    const twice = [at - HOUR, at + HOUR].some((other) => Format.time(other) === Format.time(at))
    return twice ? `${Format.time(at)} ${WallTime.zoneName(at)}` : Format.time(at)
  }

  /** Where a stretch of time lies, in parts of the axis. @returns {{from: number, span: number}|null} null where none of it is on it */
  function place({ from, to }, starts, ends) {
    const first = Math.max(from, Date.parse(starts))
    const last = Math.min(to, Date.parse(ends))
    return first < last ? { from: (first - from) / (to - from), span: (last - first) / (to - from) } : null
  }

  /**
   * Where each trip is drawn, for trips in the order of their pickups, so that none covers another.
   * @returns {{places: {from: number, span: number, row: number, part: number}[], rows: number}} part: of its width that it really takes
   */
  function layout(axis, trips) {
    /** @type {number[]} */
    const ends = []
    const places = trips.map((trip) => {
      const real = place(axis, trip.pickuptime, trip.drop_off_time) ?? { from: 0, span: LEAST }
      const span = Math.max(real.span, LEAST)
      const from = Math.min(real.from, 1 - span)
      const free = ends.findIndex((end) => end <= from + 1e-9)
      const row = free < 0 ? ends.length : free
      ends[row] = from + span
      return { from, span, row, part: real.span / span }
    })
    return { places, rows: Math.max(1, ends.length) }
  }

  // ── Words ──

  function who(trip) {
    return trip.client_name ?? trip.event_name ?? "Trip"
  }

  function where(trip) {
    const way = { to_clinic: "one way there", to_home: "one way home" }[trip.trip_direction]
    return [trip.locationname ?? (trip.client_name ? trip.event_name : null), way].filter(Boolean).join(" · ")
  }

  /** Minutes in little room: "40 min", "5 h", "3.7 h". */
  function hours(minutes) {
    return minutes > 0 && minutes < 60 ? `${minutes} min` : `${Number((minutes / 60).toFixed(1))} h`
  }

  function span(trip) {
    return `${Format.time(trip.pickuptime)}–${Format.time(trip.drop_off_time)}`
  }

  /** Whether a trip, or a driver, has these words in it. @param {string} words in lower case */
  function matches(words, ...texts) {
    return texts.some((text) => (text ?? "").toLowerCase().includes(words))
  }

  function tripMatches(trip, words) {
    return matches(words, trip.client_name, trip.knumber, trip.locationname, trip.locationaddress, trip.event_name)
  }

  return Object.freeze({ read, tripsOf, isMovable, verdict, ranked, amiss, axis, place, layout, who, where, hours, span, matches, tripMatches })
})()
