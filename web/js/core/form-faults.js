"use strict"

/**
 * Faults of a form, shown at their fields and listed on top, in the page's words or the server's. What was typed stays.
 *
 * A field says its own faults in the page: data-label="First name" (for "First name is required") and data-fault="…" (for a wrong shape).
 */
const FormFaults = (() => {
  const { el, fill, icon } = Dom

  /** @param {HTMLFormElement} form @returns {Record<string, string>} the faults the browser can see, by field name, in the order of the form */
  function check(form) {
    const faults = {}
    for (const field of fields(form)) {
      const { validity, dataset } = field
      if (validity.valueMissing || (field.required && field.value.trim() === "")) faults[field.name] = `${dataset.label} is required`
      else if (!validity.valid) faults[field.name] = dataset.fault ?? `${dataset.label} is not right`
    }
    return faults
  }

  /**
   * Shows these faults and moves to the list of them.
   * @param {HTMLFormElement} form
   * @param {Record<string, string>} faults by field name; one without a field is listed only
   * @param {{what: string, why?: string, todo?: string, message?: string}} [said] what the server says of the whole; a fault in the same words is not said twice
   */
  function show(form, faults, said) {
    clear(form)
    for (const [name, text] of Object.entries(faults)) mark(form, name, text)
    const unsaid = Object.entries(faults).filter(([, text]) => text !== said?.message)
    const entries = unsaid.map(([name, text]) => el("li", {}, field(form, name) ? link(form, name, text) : text))
    const summary = el(
      "div",
      { class: "problem form-summary", role: "alert", tabindex: -1 },
      icon("exclamation-triangle-fill"),
      el(
        "div",
        { class: "problem-text" },
        el(
          "p",
          { class: "problem-what" },
          said?.what ?? (entries.length === 1 ? "One thing needs correcting" : `${entries.length} things need correcting`),
        ),
        said?.why && el("p", {}, said.why),
        said?.todo && el("p", { class: "todo" }, said.todo),
        entries.length > 0 && el("ul", {}, entries),
      ),
    )
    fill(place(form), summary)
    summary.focus()
  }

  function clear(form) {
    fill(place(form))
    for (const one of fields(form)) unmark(one)
  }

  /** A corrected field loses its fault as it is left, and a field left wrong is told so. */
  function watch(form) {
    form.addEventListener(
      "input",
      (event) => event.target.getAttribute("aria-invalid") && check(form)[event.target.name] === undefined && unmark(event.target),
    )
  }

  function mark(form, name, text) {
    const one = field(form, name)
    if (!one) return
    one.closest("details")?.setAttribute("open", "")
    one.setAttribute("aria-invalid", "true")
    const note = el("p", { class: "fault", id: `${one.id}-fault` }, icon("exclamation-circle"), el("span", {}, text))
    describe(one, note.id, true)
    one.closest(".field").append(note)
  }

  function unmark(one) {
    one.removeAttribute("aria-invalid")
    describe(one, `${one.id}-fault`, false)
    document.getElementById(`${one.id}-fault`)?.remove()
  }

  function describe(one, id, on) {
    const ids = (one.getAttribute("aria-describedby") ?? "").split(" ").filter((other) => other && other !== id)
    if (on) ids.push(id)
    if (ids.length > 0) one.setAttribute("aria-describedby", ids.join(" "))
    else one.removeAttribute("aria-describedby")
  }

  function link(form, name, text) {
    return el("a", { href: `#${field(form, name).id}`, onclick: (event) => (event.preventDefault(), field(form, name).focus()) }, text)
  }

  function place(form) {
    return form.querySelector(".form-problems")
  }

  function fields(form) {
    return [...form.elements].filter((one) => one.name && one.willValidate)
  }

  /** firstName, firstname and first_name are one field: the wire has all three. data-also names a spelling that differs by more. */
  function field(form, name) {
    return fields(form).find((one) => plain(one.name) === plain(name) || one.dataset.also === name)
  }

  function plain(name) {
    return name.toLowerCase().replaceAll("_", "")
  }

  return Object.freeze({ check, show, clear, watch })
})()
