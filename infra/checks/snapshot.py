"""A stage as text, a line for each property, so that a change of a template can be read."""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from infra.checks.assembly import Resource, Stage
from infra.config import EXAMPLE_ACCOUNT
from infra.costs import idle_costs, monthly, total

SNAPSHOTS = Path(__file__).parents[1] / "snapshots"
CONTEXT_LINES = 2
STATEMENT = {"Resource", "Principal", "Condition", "Sid"}
"""Other parts of a statement of a policy."""


def render(stage: Stage) -> dict[str, str]:
    """The text of each stack, and of the costs."""
    texts: dict[str, list[str]] = {stack: [] for stack in stage.templates}
    for resource in sorted(stage.resources, key=lambda each: (each.stack, each.name, each.type)):
        texts[resource.stack] += [f"{resource.name}  [{resource.type.removeprefix('AWS::')}]", *_lines(stage, resource)]
    texts["costs"] = ["idle, dollars a month"]
    texts["costs"] += [
        f"  {line.what} = {line.number:g} x {monthly(line.what):g} = {line.dollars:.2f}" for line in idle_costs(stage)
    ]
    texts["costs"].append(f"  total = {total(stage):.2f}")
    return {stack: "\n".join(lines) + "\n" for stack, lines in texts.items()}


def _lines(stage: Stage, resource: Resource) -> Iterator[str]:
    policy = resource.attributes.get("DeletionPolicy")
    if policy:
        yield f"  (when deleted) {policy}"
    properties = stage.text(resource.stack, {key: each for key, each in resource.properties.items() if key != "Tags"})
    for path, value in sorted(_leaves(properties)):
        yield f"  {path} = {value}".replace(EXAMPLE_ACCOUNT, "ACCOUNT")


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    match value:
        case {"Effect": effect, "Action": actions, **rest} if set(rest) <= {
            "Resource",
            "Principal",
            "Condition",
            "Sid",
        }:
            yield f"{path}.{rest.get('Sid', effect)}", _statement(effect, actions, rest)
        case Mapping():
            for key, each in value.items():
                yield from _leaves(each, f"{path}.{key}" if path else str(key))
        case list() if all(isinstance(each, str | int | float) for each in value):
            yield path, ", ".join(map(str, value))
        case list():
            for index, each in enumerate(value):
                yield from _leaves(each, f"{path}[{index:02d}]")
        case _:
            yield path, str(value)


def _statement(effect: str, actions: Any, rest: Mapping[str, Any]) -> str:
    parts = [effect.lower(), _listed(actions)]
    for key, word in (("Resource", "on"), ("Principal", "to"), ("Condition", "if")):
        if key in rest:
            parts.append(f"{word} {_listed(rest[key])}")
    return " ".join(parts)


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def differences(stage: Stage, folder: Path = SNAPSHOTS) -> str:
    """The differences to the committed text of the stage; empty without any."""
    texts, parts = render(stage), list[str]()
    committed = {path.stem: path.read_text() for path in sorted((folder / stage.config.name).glob("*.txt"))}
    for stack in sorted(texts.keys() | committed.keys()):
        before, after = committed.get(stack, ""), texts.get(stack, "")
        if before != after:
            label = f"{stage.config.name}/{stack}"
            lines = difflib.unified_diff(
                before.splitlines(), after.splitlines(), f"committed {label}", f"now {label}", "", "", CONTEXT_LINES, ""
            )
            parts += lines
    return "\n".join(parts)


def write(stage: Stage, folder: Path = SNAPSHOTS) -> None:
    """Replace the committed text of the stage."""
    target = folder / stage.config.name
    target.mkdir(parents=True, exist_ok=True)
    texts = render(stage)
    for path in target.glob("*.txt"):
        if path.stem not in texts:
            path.unlink()
    for stack, text in texts.items():
        (target / f"{stack}.txt").write_text(text)
