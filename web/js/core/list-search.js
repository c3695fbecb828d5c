"use strict"

/**
 * The search above a list: it is asked once the typing rests, and never sent as a form.
 */
const ListSearch = (() => {
  const REST_MS = 250
  const FIELDS = "input, select, textarea"

  /** @param {HTMLInputElement} field @param {() => void} search */
  function init(field, search) {
    let timer = 0
    field.form?.addEventListener("submit", (event) => event.preventDefault())
    field.addEventListener("input", () => {
      clearTimeout(timer)
      timer = setTimeout(search, REST_MS)
    })
  }

  /**
   * Keys, for whoever is not typing just now: "/" leads to the search, Escape closes what is open beside the list.
   * @param {HTMLInputElement} field
   * @param {() => void} close
   * @param {string} [typing] where keys are typed into something
   */
  function keys(field, close, typing = FIELDS) {
    document.addEventListener("keydown", (event) => {
      const elsewhere = document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey
      if (elsewhere || /** @type {Element} */ (event.target).closest(typing)) return
      if (event.key === "/") {
        event.preventDefault()
        field.focus()
      }
      if (event.key === "Escape") close()
    })
  }

  return Object.freeze({ init, keys })
})()
