"use strict"

/**
 * The dialog in which an account is made or edited. An edit sends only what was changed in it, so that nothing a colleague saved meanwhile is lost.
 * What is typed for a new account and not saved is kept until the page is left; an edit begins with what the list has.
 */
const UserForm = (() => {
  const { byId } = Dom
  const FIELDS = Object.freeze(["full_name", "email", "phone", "role"])
  const IDS = Object.freeze({ full_name: "fullName", email: "email", phone: "phone", role: "role" })
  const ALPHABET = "cdfhjkmnprtwxy347" // as the server's own: nothing that looks alike or makes words
  /** @type {any} who is edited; null while an account is made */
  let editing = null
  /** @type {Record<string, string>} a new account, as typed and not saved */
  let draft = {}
  let onSaved = (_id, _answer) => {}

  /** @param {{onSaved: (id: string, answer: any) => void}} options */
  function init(options) {
    ;({ onSaved } = options)
    const [dialog, form] = [byId("userModal"), byId("userForm")]
    FormSending.init(form, {
      read: body,
      send: (sent, once) => APIClient.post(editing ? "/update-user" : "/create-user", sent, once),
      done: saved,
    })
    form.addEventListener("change", ({ target }) => {
      if (target.type === "tel" && target.value.trim() !== "") target.value = Format.phone(target.value)
      if (target.id === "role") explainRole()
    })
    byId("suggestBtn").addEventListener("click", suggest)
    byId("password").addEventListener("input", explainMail)
    dialog.addEventListener("close", () => {
      if (editing === null) draft = { ...values(), password: byId("password").value }
    })
  }

  /** @param {any} [user] whom to edit; none to make an account @param {{at?: string}} [options] the field to begin with */
  function open(user = null, { at = "fullName" } = {}) {
    editing = user
    const from = user ?? draft
    for (const name of FIELDS) byId(IDS[name]).value = from[name] ?? ""
    byId("phone").value = Format.phone(from.phone)
    byId("password").value = user ? "" : (draft.password ?? "")
    const [email, also] = user ? ["email", "username"] : ["username", "email"]
    byId("email").name = email // the name under which the server speaks of it
    byId("email").dataset.also = also
    byId("email-help").textContent = user ? `They sign in as ${user.username}, which stays` : "They sign in with it, and it cannot be changed later"
    byId("byHand").hidden = user !== null
    byId("byHand").open = byId("password").value !== ""
    byId("userFormTitle").textContent = user ? `Edit ${user.full_name}` : "Add user"
    explainRole()
    explainMail()
    FormSending.begin(byId("userForm"), user ? "Save changes" : "Create account")
    byId("userModal").showModal()
    byId(at).focus()
  }

  function explainRole() {
    const role = byId("role").value
    const changes = editing !== null && role !== editing.role
    const help = UserState.ROLES[role] ?? "Decides what they see and may do"
    byId("role-help").textContent = changes ? `${help} They are signed out, and sign in anew.` : help
  }

  function explainMail() {
    const byHand = byId("password").value !== ""
    byId("userFormNote").textContent = editing ? "" : byHand ? "No mail is sent: you hand the password over." : UserMail.promise()
  }

  /** One to read out over the telephone: 81 random bits. */
  function suggest() {
    const letters = Array.from({ length: 20 }, () => ALPHABET[unbiased(ALPHABET.length)]).join("")
    byId("password").value = letters.match(/.{5}/g)?.join("-") ?? ""
    explainMail()
    byId("password").focus()
    byId("password").select()
  }

  function unbiased(below) {
    const limit = 256 - (256 % below)
    for (;;) {
      const [byte] = crypto.getRandomValues(new Uint8Array(1))
      if (byte < limit) return byte % below
    }
  }

  function values() {
    return Object.fromEntries(FIELDS.map((name) => [name, byId(IDS[name]).value.trim()]))
  }

  function body() {
    const { email, ...typed } = values()
    if (editing === null) {
      const password = byId("password").value
      return { username: email, ...typed, ...(password ? { password } : {}) }
    }
    const before = { full_name: editing.full_name, email: editing.email, phone: Format.phone(editing.phone), role: editing.role }
    const changed = Object.entries({ ...typed, email }).filter(([name, value]) => value !== before[name])
    return { id: editing.id, ...Object.fromEntries(changed) }
  }

  function saved(answer) {
    for (const name of FIELDS) if (editing === null) byId(IDS[name]).value = ""
    byId("password").value = ""
    byId("userModal").close()
    onSaved(answer.user_id, answer)
  }

  return Object.freeze({ init, open })
})()
