"""What a model reads of a result's findings: the explanation of the template with its figures, section by section."""

from typing import Any

from desk.figures.tool_content import write_content
from desk.optimization.reading.findings import Findings
from desk.optimization.reading.template import findings_claims


def shown_to_model(findings: Findings) -> str:
    return write_content(findings_claims(findings), findings.figures, verdict_facts(findings))


def verdict_facts(findings: Findings) -> dict[str, Any]:
    """The verdict, the sign of the benefit, and why the result is partial; the sentences say the other comparisons."""
    facts = {"colour": findings.colour, "benefit": findings.benefit, "partial": list(findings.partial)}
    return {name: value for name, value in facts.items() if value}
