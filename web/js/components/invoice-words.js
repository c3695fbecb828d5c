"use strict"

/**
 * How money, days and the states of invoices are written.
 */
const InvoiceWords = (() => {
  const { el } = Dom
  const dollars = new Intl.NumberFormat("en-CA", { style: "currency", currency: "CAD" })
  // A day alone is no instant: it is the same in every zone, so it is read and written in one.
  const day = new Intl.DateTimeFormat("en-CA", { timeZone: "UTC", day: "numeric", month: "short", year: "numeric" })
  const shortDay = new Intl.DateTimeFormat("en-CA", { timeZone: "UTC", day: "numeric", month: "short" })
  const officeDay = new Intl.DateTimeFormat("en-CA", { timeZone: "America/Halifax", year: "numeric", month: "2-digit", day: "2-digit" })
  const LOOKS = Object.freeze({ created: "waiting", sent: "working", paid: "done", void: "waiting", overdue: "again" })

  /** @param {string|number|null} amount dollars @returns {string} "$1,234.50" */
  function money(amount) {
    return amount === null || amount === undefined ? Format.UNKNOWN : dollars.format(Number(amount))
  }

  /** @param {string} date "2026-11-25" @returns {string} "Nov 25, 2026" */
  function spoken(date) {
    const read = Format.date(date)
    return read ? day.format(read) : Format.UNKNOWN
  }

  /** "Nov 25", where the year is plain. */
  function brief(date) {
    const read = Format.date(date)
    return read ? shortDay.format(read) : Format.UNKNOWN
  }

  /** @param {string|number|Date} [moment] now, if left out @returns {string} its day at the office, "2026-11-25" */
  function dayOf(moment = new Date()) {
    return officeDay.format(new Date(moment))
  }

  /** "14%" of a fraction. */
  function percent(rate) {
    return `${Number((Number(rate) * 100).toFixed(3))}%`
  }

  /** @param {any} invoice as the list or the card has it */
  function chip(invoice) {
    const late = invoice.overdue && invoice.invoice_status !== "paid"
    const look = late ? "overdue" : invoice.invoice_status
    return el(
      "span",
      { class: `chip invoice-${look}`, "data-state": LOOKS[look] },
      el("span", { class: "chip-state" }, late ? `${invoice.invoice_status}, overdue` : invoice.invoice_status),
    )
  }

  /** A table's heads; those that begin with # stand over numbers. */
  function heads(...texts) {
    return texts.map((text) =>
      el("th", { role: "columnheader", scope: "col", class: text.startsWith("#") ? "number" : null }, text.replace("#", "")),
    )
  }

  /** Cents, so that adding up makes no fractions of one. */
  function cents(amount) {
    return Math.round(Number(amount) * 100)
  }

  /** Tax to the cent, half a cent up, as the database rounds it. @param {number} subtotal in cents @param {string} rate a fraction */
  function tax(subtotal, rate) {
    return Math.round((subtotal * Math.round(Number(rate) * 100_000)) / 100_000)
  }

  return Object.freeze({ money, spoken, brief, dayOf, percent, chip, heads, cents, tax })
})()
