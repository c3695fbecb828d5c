"use strict"

/**
 * A record's card beside its list: which one is open stands in the address, so that Back, a reload and a link that was sent show it too; when it is
 * closed, the focus returns to its row.
 */
const BesideList = (() => {
  const { byId } = Dom

  /**
   * @param {{
   *   page: string, search: string, kind: string, address: (id: string|null) => string,
   *   list: {mark: (id: string|null) => void, rowNode: (id: string) => HTMLElement|null},
   *   card: {show: (id: string, options: {highlight: boolean, focus: boolean}) => void, hide: () => void},
   * }} options page and search: ids of their elements, the search has the focus when the row is gone; kind: what failure notices call such a record;
   *   address: of this page with that one open
   */
  function make({ page, search, kind, address, list, card }) {
    /** @type {string|null} */
    let openId = null

    /** Shows what the address asks for. */
    function follow({ id, highlight }, { focus }) {
      if (id && id !== openId) open(id, { highlight, focus })
      if (!id && openId) close()
    }

    function visit(id, { highlight = false } = {}) {
      history.pushState(null, "", address(id))
      open(id, { highlight, focus: true })
    }

    /** From a failure notice, which needs no other page for it. */
    function viewHere(event) {
      if (event.detail.type !== kind) return
      event.preventDefault()
      TaskPanel.close()
      visit(event.detail.id, { highlight: true })
    }

    function leave() {
      if (!openId) return
      const row = list.rowNode(openId)
      history.pushState(null, "", address(null))
      close()
      ;(row?.querySelector("a") ?? byId(search)).focus()
    }

    function open(id, options) {
      openId = id
      byId(page).classList.add("has-card")
      list.mark(id)
      card.show(id, options)
    }

    function close() {
      openId = null
      list.mark(null)
      byId(page).classList.remove("has-card")
      card.hide()
    }

    return Object.freeze({ follow, visit, viewHere, leave, openId: () => openId })
  }

  return Object.freeze({ make })
})()
