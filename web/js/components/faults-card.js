"use strict"

/**
 * Faults on demand: an administrator makes a stand-in fail, to see what the office would see. Only while stand-ins are in use.
 */
const FaultsCard = (() => {
  const { el, fill, icon, byId } = Dom
  const ADDRESS = "/sandbox/faults"
  const BESIDE = Object.freeze({ base: "" })

  /** @param {HTMLElement} root filled when this person and this server have it, hidden otherwise */
  async function init(root) {
    if (getUserRole() !== "admin" || (await PortalConfig.load()).standIns.length === 0) return
    root.hidden = false
    fill(root, el("h2", {}, icon("sliders"), "Faults on demand"), el("p", { class: "loading", role: "status" }, "Loading…"))
    try {
      draw(root, await APIClient.get(ADDRESS, BESIDE))
    } catch (error) {
      if (error.status === 404) root.hidden = true
      else
        fill(
          root,
          el("h2", {}, "Faults on demand"),
          Dom.problem(error, el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: () => init(root) }, "Try again")),
        )
    }
  }

  /** @param {{kinds: Record<string, string[]>, orders: {service: string, fault: string, times?: number|null}[]}} known */
  function draw(root, { kinds, orders }) {
    fill(
      root,
      el("h2", {}, icon("sliders"), "Faults on demand"),
      el("p", { class: "quiet" }, "Make a stand-in fail, then save a client and watch what happens."),
      form(root, kinds),
      el("div", { id: "faultProblem" }),
      active(root, orders),
    )
  }

  /** What can go wrong differs from service to service. */
  function form(root, kinds) {
    const options = (names) => names.map((name) => el("option", { value: name }, name))
    const fault = el("select", { name: "fault", class: "form-select form-select-sm" })
    const service = /** @type {HTMLSelectElement} */ (
      el("select", { name: "service", class: "form-select form-select-sm" }, options(Object.keys(kinds)))
    )
    const offer = () => fill(fault, options(kinds[service.value].filter((kind) => kind !== "ok")))
    service.addEventListener("change", offer)
    offer()
    const node = el(
      "form",
      { class: "faults-form" },
      labelled("Service", service),
      labelled("Fault", fault),
      labelled(
        "Times",
        el("input", { name: "times", type: "number", min: 1, max: 999, placeholder: "always", class: "form-control form-control-sm" }),
      ),
      el("button", { type: "submit", class: "btn btn-sm btn-soft" }, "Set"),
    )
    node.addEventListener("submit", (event) => {
      event.preventDefault()
      const wanted = Object.fromEntries(new FormData(/** @type {HTMLFormElement} */ (node)))
      set(root, { service: wanted.service, fault: wanted.fault, ...(wanted.times ? { times: Number(wanted.times) } : {}) })
    })
    return node
  }

  function active(root, faults) {
    if (faults.length === 0) return el("p", { class: "quiet" }, "No fault is set: every stand-in answers as it should.")
    return el(
      "ul",
      { class: "faults" },
      faults.map((one) =>
        el(
          "li",
          {},
          el("strong", {}, one.service),
          ` ${one.fault}`,
          el("span", { class: "quiet" }, one.times ? ` ${one.times} more` : " always"),
          el(
            "button",
            {
              type: "button",
              class: "btn btn-sm btn-quiet",
              "aria-label": `Clear the fault of ${one.service}`,
              onclick: () => set(root, { service: one.service, fault: "ok" }),
            },
            "Clear",
          ),
        ),
      ),
    )
  }

  async function set(root, wanted) {
    try {
      draw(root, await APIClient.post(ADDRESS, wanted, BESIDE))
      root.querySelector("select")?.focus()
      Dom.announce(wanted.fault === "ok" ? `The fault of ${wanted.service} is cleared.` : `${wanted.service} now answers ${wanted.fault}.`)
    } catch (error) {
      fill(byId("faultProblem"), Dom.problem(error))
    }
  }

  function labelled(label, control) {
    control.id = Dom.uid("fault")
    return el("div", { class: "field" }, el("label", { for: control.id }, label), control)
  }

  return Object.freeze({ init })
})()
