"use strict"

/**
 * The form in which a record is added or corrected, and what was typed into it and not saved: kept for that record alone, with the version it was made
 * from. Only what was typed of a new one is kept beyond the page: see form-draft.js.
 */
const RecordDraft = (() => {
  const { el, byId } = Dom
  const NEW = "new"

  /**
   * @param {{
   *   form: string, name: string, first: string, newest: (id: string) => Promise<any>, fillIn: (record: any) => void, laid: (record: any) => void,
   * }} options
   *   form: the id of its element, whose fields all have ids; name: its data-draft; first: the id of the field to begin with; newest: reads a record;
   *   fillIn: puts a record (null: a new one) into the form that was reset; laid: what was typed is there too
   */
  function make({ form: id, name, first, newest, fillIn, laid }) {
    /** @type {any} the record that is corrected; null while one is added */
    let editing = null
    /** By record. @type {Map<string, {typed: any[], version: number|null}>} */
    const drafts = new Map()
    /** The form as it was opened, to tell whether anything was typed. */
    let opened = ""

    /** Puts a record into the form, or what was typed of a new one (null). */
    function lay(record) {
      const form = byId(id)
      if (!editing) drafts.set(NEW, { typed: typed(), version: null })
      form.removeAttribute("data-draft") // before the reset, which forgets what is kept under that name
      const draft = drafts.get(record?.id ?? NEW)
      editing = record && { ...record, version: draft?.version ?? record.version }
      form.reset()
      fillIn(record)
      opened = snapshot()
      for (const [field, value] of draft?.typed ?? []) set(byId(field), value)
      if (!record) form.dataset.draft = name
      laid(record)
    }

    /** When the dialog closes: the form goes back to the new one, whoever was in it. */
    function keep() {
      if (!editing) return
      if (snapshot() === opened) drafts.delete(editing.id)
      else drafts.set(editing.id, { typed: typed(), version: editing.version })
      lay(null)
    }

    function forget() {
      drafts.delete(editing?.id ?? NEW)
      byId(id).reset()
      opened = snapshot()
    }

    /** Changes the form without that counting as typed. @param {() => void} change */
    function aside(change) {
      const untouched = snapshot() === opened
      change()
      if (untouched) opened = snapshot()
    }

    /** A refusal, see form-sending.js: where somebody else has saved meanwhile, it offers what they saved. */
    function refused(error, show) {
      show()
      if (error.code !== "stale") return
      const button = el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: takeNewest }, "Take the newest, drop mine")
      byId(id).querySelector(".form-summary .problem-text").append(el("div", { class: "problem-actions" }, button))
    }

    async function takeNewest() {
      const form = byId(id)
      const asked = editing.id
      try {
        const record = await newest(asked)
        if (editing?.id !== asked) return // another is in the form by now
        forget()
        editing = record
        fillIn(record)
        opened = snapshot()
        FormFaults.clear(form)
        byId(first).focus()
        Dom.announce("This is the newest. Make your changes again.")
      } catch (error) {
        if (editing?.id === asked) FormFaults.show(form, {}, error)
      }
    }

    function snapshot() {
      return JSON.stringify(typed())
    }

    function typed() {
      return [...byId(id).elements].filter((one) => one.id && one.name).map((one) => [one.id, one.type === "checkbox" ? one.checked : one.value])
    }

    return Object.freeze({ lay, keep, forget, aside, refused, editing: () => editing })
  }

  function set(field, value) {
    if (field.type === "checkbox") field.checked = value
    else field.value = value
  }

  return Object.freeze({ make })
})()
