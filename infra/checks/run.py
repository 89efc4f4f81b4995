"""All rules of the templates, and the stages that are checked."""

from infra.checks.finding import Rule
from infra.checks.rules.access import ACCESS_RULES
from infra.checks.rules.edges import EDGE_RULES
from infra.checks.rules.messages import MESSAGE_RULES
from infra.checks.rules.naming import NAMING_RULES
from infra.checks.rules.processes import PROCESS_RULES
from infra.checks.rules.storage import STORAGE_RULES
from infra.checks.rules.watching import WATCHING_RULES

RULES: tuple[Rule, ...] = (
    *STORAGE_RULES,
    *MESSAGE_RULES,
    *PROCESS_RULES,
    *EDGE_RULES,
    *ACCESS_RULES,
    *WATCHING_RULES,
    *NAMING_RULES,
)
STAGES = ("dev", "staging", "prod", "pr42")
"""The three stages that have a name, and an ephemeral one."""
SNAPSHOT_STAGES = ("dev", "prod")
"""One with functions and one with tasks; the others differ in numbers."""
LINT_EXCEPTIONS = {"W3005": "CDK writes dependencies that a reference implies already."}
"""Checks of cfn-lint that are not applied, with the reason."""
