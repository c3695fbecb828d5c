"use strict"

/**
 * Sending a form: what is wrong with it is shown before it is sent, and the server's refusal at the fields it is about; what was typed stays. While it
 * is under way its button says so, a second press does nothing, nothing can be typed or chosen, and its dialog stays open: so that the answer always
 * finds the form it is about, as it was sent.
 *
 * One idempotency key per click; it is used again only when the same is sent once more because nobody knows whether the first arrived.
 */
const FormSending = (() => {
  const SETTLED = Object.freeze({ text: "", key: "" })
  /** Puts words on the form's button; those that stand there while nothing is under way. @type {WeakMap<HTMLFormElement, (words: string) => void>} */
  const naming = new WeakMap()

  /**
   * Once for each form: its submit button, and its dialog with the [data-close] buttons where it has one, are seen to from now on.
   * @param {HTMLFormElement} form with a place `.form-problems`
   * @param {{
   *   read: () => any, send: (body: any, once: {idempotencyKey: string}) => Promise<any>, done: (answer: any, body: any) => unknown,
   *   check?: (form: HTMLFormElement) => Record<string, string>, refused?: (error: any, show: (faults?: Record<string, string>) => void, body: any) => void,
   *   busy?: string,
   * }} own
   *   read: the body, or null when there is nothing to send; send: rejects with an APIError; done: what follows, awaited; it sees to its own failures,
   *   as what was sent is saved by then; check: the faults seen before sending, by field; refused: shows the refusal by `show`, with faults of its own
   *   or the server's; busy: the button's words meanwhile
   */
  function init(form, { read, send, done, check = FormFaults.check, refused = (_error, show) => show(), busy = "Saving…" }) {
    const button = /** @type {HTMLButtonElement} */ (form.querySelector("[type=submit]"))
    const label = button.querySelector("span") ?? button
    const dialog = form.closest("dialog")
    let words = label.textContent
    let unsure = SETTLED
    let sending = false

    async function submit(event) {
      event.preventDefault()
      if (sending) return
      const faults = check(form)
      if (Object.keys(faults).length > 0) return FormFaults.show(form, faults)
      FormFaults.clear(form)
      const body = read()
      if (body === null) return
      const text = JSON.stringify(body)
      const key = unsure.text === text ? unsure.key : APIClient.newKey()
      hold(true)
      let answer
      try {
        answer = await send(body, { idempotencyKey: key })
      } catch (error) {
        hold(false)
        if (!(error instanceof APIError)) throw error
        unsure = error.outcomeUnknown ? { text, key } : SETTLED
        refused(error, (found = faultsOf(error)) => show(found, error), body)
        return
      }
      unsure = SETTLED
      try {
        await done(answer, body)
      } finally {
        hold(false)
      }
    }

    function show(faults, error) {
      const told = error.code === "validation" && Object.keys(faults).length > 0
      FormFaults.show(form, faults, told ? undefined : error)
    }

    function hold(on) {
      sending = on
      label.textContent = on ? busy : words
      for (const one of [button, ...closers()]) one.setAttribute("aria-disabled", String(on))
      if (on) [...form.elements].forEach(holdField)
      else form.querySelectorAll("[data-held]").forEach(releaseField)
      if (on) dialog?.setAttribute("closedby", "none")
      else dialog?.removeAttribute("closedby")
    }

    /** Acts on what has no `readonly` of its own. */
    function refuseAct(event) {
      if (!sending || event.key === "Tab") return
      const on = event.target.closest(event.type === "click" ? "button, [type=checkbox], [type=radio], [role=option]" : "select, [role=combobox]")
      if (!on || on === button) return
      event.preventDefault()
      event.stopPropagation()
    }

    function closers() {
      return dialog?.querySelectorAll("[data-close]") ?? []
    }

    FormFaults.watch(form)
    form.addEventListener("submit", submit)
    for (const type of ["click", "keydown", "mousedown"]) form.addEventListener(type, refuseAct, true)
    for (const one of closers()) one.addEventListener("click", () => sending || dialog.close())
    // for browsers that do not know `closedby` yet
    dialog?.addEventListener("cancel", (event) => sending && event.preventDefault())
    naming.set(form, (text) => {
      words = text
      if (!sending) label.textContent = words
    })
  }

  /** Not `disabled` or `inert`: whoever stands in the field would lose their place. */
  function holdField(field) {
    if (!field.willValidate || field.readOnly || field.matches("button")) return
    field.setAttribute("data-held", "")
    if (field.matches("textarea, input:not([type=checkbox], [type=radio])")) field.readOnly = true
    else field.setAttribute("aria-disabled", "true")
  }

  function releaseField(field) {
    field.removeAttribute("data-held")
    field.removeAttribute("aria-disabled")
    if ("readOnly" in field) field.readOnly = false
  }

  /** A form that is opened anew: without faults, and with these words on its button. @param {HTMLFormElement} form @param {string} words */
  function begin(form, words) {
    naming.get(form)?.(words)
    FormFaults.clear(form)
  }

  /** The server's faults by field, and those that are of no field. */
  function faultsOf({ fields, errors }) {
    const listed = Object.values(fields)
    const others = errors.filter((text) => !listed.some((said) => said.includes(text)))
    return { ...fields, ...Object.fromEntries(others.map((text, n) => [`other-${n}`, text])) }
  }

  return Object.freeze({ init, begin, faultsOf })
})()
