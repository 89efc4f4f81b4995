"""Who may do what and within which limits: roles, principals, audit log, budgets, approvals, spending."""
