"use strict"

/**
 * Who may see which page and use which feature. The server decides; this only keeps pages from offering what it would refuse.
 * A role that is missing or unknown may do nothing.
 */
{
  const ROLE_PERMISSIONS = (() => {
    const everyone = ["dashboard", "profile"]
    const office = [...everyone, "clients", "appointments", "appointments-bulk-add"]
    const lead = [...office, "operations", "drivers", "destinations", "finance"]
    const nothing = {
      canDeleteClients: false,
      canDeleteAppointments: false,
      canSetTripStatus: false,
      canHardDeleteAppointments: false,
      canManageDrivers: false,
      canManageUsers: false,
      canManageSystemConfig: false,
      canAssignDrivers: false,
      canViewDrivers: false,
      canViewReports: false,
      canViewCosts: false,
      canManageDestinations: false,
      canSeeAllFailedTasks: false,
      canReadAuditLog: false,
    }
    const supervisor = {
      ...nothing,
      canDeleteClients: true,
      canDeleteAppointments: true,
      canManageDrivers: true,
      canAssignDrivers: true,
      canViewDrivers: true,
      canViewReports: true,
      canViewCosts: true,
      canManageDestinations: true,
      canSeeAllFailedTasks: true,
    }
    const table = {
      admin: {
        pages: [...lead, "admin", "audit"],
        features: ["all"],
        ...supervisor,
        canSetTripStatus: true,
        canHardDeleteAppointments: true,
        canManageUsers: true,
        canManageSystemConfig: true,
        canReadAuditLog: true,
      },
      supervisor: {
        pages: lead,
        features: [
          "view_clients",
          "edit_clients",
          "delete_clients",
          "view_appointments",
          "edit_appointments",
          "create_appointments",
          "assign_drivers",
          "view_drivers",
          "view_reports",
        ],
        ...supervisor,
      },
      booking_agent: {
        pages: office,
        features: ["view_clients", "edit_clients", "view_appointments", "edit_appointments", "create_appointments", "view_drivers"],
        ...nothing,
        canDeleteAppointments: true,
        canViewDrivers: true,
      },
      driver: { pages: everyone, features: ["view_own_appointments", "manage_own_schedule"], ...nothing, canViewDrivers: true },
      client: { pages: everyone, features: ["view_own_appointments"], ...nothing },
    }
    for (const role of Object.values(table)) Object.freeze(role)
    return Object.freeze(table)
  })()

  /** @returns {string|null} the signed-in person's role; null when nobody is signed in or the role is unknown */
  function getUserRole() {
    const role = getCurrentUser()?.role
    return role && Object.hasOwn(ROLE_PERMISSIONS, role) ? role : null
  }

  /** @param {string|null} [role] @returns {Record<string, any>|null} its row of the table; null for an unknown role */
  function getRolePermissions(role = getUserRole()) {
    return role && Object.hasOwn(ROLE_PERMISSIONS, role) ? ROLE_PERMISSIONS[role] : null
  }

  /** @param {string} page its key: "clients", "dashboard" … */
  function hasPageAccess(page) {
    return getRolePermissions()?.pages.includes(page) ?? false
  }

  /** @param {string} feature a feature ("edit_clients") or a permission ("canViewCosts") */
  function hasFeaturePermission(feature) {
    const mine = getRolePermissions()
    if (!mine) return false
    return mine[feature] === true || mine.features.includes("all") || mine.features.includes(feature)
  }

  /** Leaves in the navigation only what this person may open: each entry names its page in data-page. */
  function filterNavigationByRole(root = document) {
    for (const entry of root.querySelectorAll("[data-page]")) entry.hidden = !hasPageAccess(entry.dataset.page)
  }

  /**
   * Puts a plain refusal in the place of a page this person may not open.
   * @param {string} page
   * @returns {boolean} whether they may
   */
  function enforcePageAccess(page) {
    if (hasPageAccess(page)) return true
    Dom.fill(
      document.querySelector("main"),
      Dom.el(
        "section",
        { class: "page-refusal" },
        Dom.el("h1", {}, "You do not have access to this page."),
        Dom.el("p", {}, "Your role does not include it. If you need it, ask an administrator."),
        Dom.el("p", {}, Dom.el("a", { href: "dashboard.html", class: "btn btn-primary" }, "Go to the dashboard")),
      ),
    )
    return false
  }

  Object.assign(window, {
    ROLE_PERMISSIONS,
    getUserRole,
    getRolePermissions,
    hasPageAccess,
    hasFeaturePermission,
    filterNavigationByRole,
    enforcePageAccess,
  })
}
