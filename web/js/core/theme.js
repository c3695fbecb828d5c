"use strict"

/**
 * Light, dark, or as the device says. Loaded first and at once (not deferred), so that no page flashes in the wrong colours.
 * The choice is kept in localStorage; without one the device decides, and a change there is followed at once.
 */
const Theme = Object.freeze({
  KEY: "backhaul-theme",
  CHOICES: Object.freeze(["system", "light", "dark"]),

  /** @returns {string} what the person chose: "system", "light" or "dark" */
  choice() {
    const kept = localStorage.getItem(Theme.KEY)
    return kept === "light" || kept === "dark" ? kept : "system"
  },

  /** @param {string} choice one of CHOICES; anything else means "system" */
  choose(choice) {
    if (choice === "light" || choice === "dark") localStorage.setItem(Theme.KEY, choice)
    else localStorage.removeItem(Theme.KEY)
    Theme.apply()
  },

  /** Moves on to the next choice, for a button that cycles. @returns {string} the new choice */
  next() {
    const choice = Theme.CHOICES[(Theme.CHOICES.indexOf(Theme.choice()) + 1) % Theme.CHOICES.length]
    Theme.choose(choice)
    return choice
  },

  /** Bootstrap and app.css both read data-bs-theme on the root element. */
  apply() {
    const choice = Theme.choice()
    const dark = choice === "dark" || (choice === "system" && matchMedia("(prefers-color-scheme: dark)").matches)
    document.documentElement.dataset.bsTheme = dark ? "dark" : "light"
  },
})

Theme.apply()
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", Theme.apply)
