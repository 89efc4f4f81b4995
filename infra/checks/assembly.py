"""Synthesised stages as data: resources with their properties, and references as readable text."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from infra.config import StageConfig

Value: TypeAlias = Any
"""JSON of a template."""


@dataclass(frozen=True)
class Resource:
    stack: str
    """The part of the stack's name after the stage, such as `data`."""
    id: str
    type: str
    properties: Mapping[str, Value]
    attributes: Mapping[str, Value] = field(default_factory=dict)
    """What stands beside the properties: deletion policies, dependencies, metadata."""

    @property
    def name(self) -> str:
        """The path of its construct, without the stack and the generated end."""
        path = str(self.attributes.get("Metadata", {}).get("aws:cdk:path", f"/{self.id}"))
        parts = [part for part in path.split("/")[1:] if part not in ("Resource", "Default")]
        return "/".join(parts) or self.id

    def get(self, *path: str, default: Value = None) -> Value:
        """The value below these names, or the default."""
        value: Value = self.properties
        for name in path:
            if not isinstance(value, Mapping) or name not in value:
                return default
            value = value[name]
        return value


@dataclass(frozen=True)
class Stage:
    config: StageConfig
    templates: Mapping[str, Mapping[str, Value]]
    """By the part of the stack's name after the stage."""
    needs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The stacks that must be there before each stack."""

    @cached_property
    def resources(self) -> Sequence[Resource]:
        return [
            Resource(
                stack,
                id_,
                each["Type"],
                each.get("Properties", {}),
                {key: value for key, value in each.items() if key not in ("Type", "Properties")},
            )
            for stack, template in self.templates.items()
            for id_, each in template.get("Resources", {}).items()
        ]

    def of_type(self, *types: str) -> Iterator[Resource]:
        return (each for each in self.resources if each.type in types)

    @cached_property
    def _by_id(self) -> Mapping[tuple[str, str], Resource]:
        return {(each.stack, each.id): each for each in self.resources}

    @cached_property
    def _exports(self) -> Mapping[str, tuple[str, Value]]:
        """The stack and the value of each export."""
        return {
            output["Export"]["Name"]: (stack, output["Value"])
            for stack, template in self.templates.items()
            for output in template.get("Outputs", {}).values()
            if "Export" in output
        }

    def text(self, stack: str, value: Value) -> Value:
        """The value with every reference as text such as `{data/desk-table.Arn}`."""
        match value:
            case {"Ref": str(id_)}:
                return self._reference(stack, id_, "")
            case {"Fn::GetAtt": [str(id_), str(attribute)]}:
                return self._reference(stack, id_, f".{attribute}")
            case {"Fn::ImportValue": str(name)}:
                return self.text(*self._exports[name]) if name in self._exports else f"{{import {name}}}"
            case {"Fn::Join": [str(separator), list(parts)]}:
                return separator.join(str(self.text(stack, part)) for part in parts)
            case {"Fn::Sub": str(text)}:
                return text
            case {"Fn::Select": [index, {"Fn::Split": [str(separator), source]}]}:
                return f"{{part {index} of {self.text(stack, source)} by {separator}}}"
            case dict():
                return {key: self.text(stack, each) for key, each in value.items()}
            case list():
                return [self.text(stack, each) for each in value]
            case _:
                return value

    def _reference(self, stack: str, id_: str, attribute: str) -> str:
        if id_.startswith("AWS::"):
            return {"AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}.get(id_, f"{{{id_}}}")
        resource = self._by_id.get((stack, id_))
        return f"{{{stack}/{id_ if resource is None else resource.name}{attribute}}}"

    def resource(self, reference: str) -> Resource | None:
        """The resource that a text such as `{data/desk-table.Arn}` refers to."""
        for each in self.resources:
            if reference.startswith(f"{{{each.stack}/{each.name}") and reference.strip("{}").partition(".")[0] == (
                f"{each.stack}/{each.name}"
            ):
                return each
        return None

    def changed(self, change: Callable[[dict[str, Any]], None]) -> "Stage":
        """A copy whose templates `change` has edited."""
        templates: dict[str, Any] = json.loads(json.dumps(self.templates))
        change(templates)
        return Stage(self.config, templates, self.needs)


def load(folder: Path, config: StageConfig) -> Stage:
    """The stage that `python -m infra.app --out` wrote into the folder."""
    prefix = f"{config.prefix}-"
    artifacts = json.loads((folder / "manifest.json").read_text())["artifacts"]
    stacks = {name for name, each in artifacts.items() if each["type"] == "aws:cloudformation:stack"}
    return Stage(
        config,
        {
            name.removeprefix(prefix): json.loads((folder / artifacts[name]["properties"]["templateFile"]).read_text())
            for name in sorted(stacks)
        },
        {
            name.removeprefix(prefix): frozenset(
                each.removeprefix(prefix) for each in stacks.intersection(artifacts[name].get("dependencies", []))
            )
            for name in stacks
        },
    )
