"""Permissions and limits: roles, principals, approvals, budgets, spending and the audit log."""
