"""Edits of templates that plant a fault."""

from collections.abc import Callable
from typing import Any, NamedTuple

Templates = dict[str, Any]
Properties = dict[str, Any]


class Fault(NamedTuple):
    name: str
    rule: str
    stage: str
    plant: Callable[[Templates], None]
    message: str = ""
    """A part of what the rule says."""


def resource(templates: Templates, stack: str, type_: str, part: str = "") -> dict[str, Any]:
    """A resource of a type in a stack, whose id begins with `part`, or else contains it."""
    ids = [
        id_
        for id_, each in templates[stack]["Resources"].items()
        if each["Type"] == type_ and part.lower() in id_.lower()
    ]
    return templates[stack]["Resources"][min(ids, key=lambda id_: not id_.lower().startswith(part.lower()))]


def change(stack: str, type_: str, part: str, edit: Callable[[Properties], object]) -> Callable[[Templates], None]:
    """A fault in the properties of one resource."""

    def plant(templates: Templates) -> None:
        edit(resource(templates, stack, type_, part)["Properties"])

    return plant


def remove(stack: str, type_: str, part: str = "") -> Callable[[Templates], None]:
    def plant(templates: Templates) -> None:
        resources = templates[stack]["Resources"]
        matches = [id_ for id_, each in resources.items() if each["Type"] == type_ and part.lower() in id_.lower()]
        assert matches
        for id_ in matches:
            del resources[id_]

    return plant


def put(*path: str, value: Any) -> Callable[[Properties], None]:
    """Sets the value below these names."""

    def edit(properties: Properties) -> None:
        place: Any = properties
        for name in path[:-1]:
            place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
        if isinstance(place, list):
            place[int(path[-1])] = value
        else:
            place[path[-1]] = value

    return edit


def drop(*path: str) -> Callable[[Properties], None]:
    def edit(properties: Properties) -> None:
        place: Any = properties
        for name in path[:-1]:
            place = place[int(name)] if isinstance(place, list) else place[name]
        del place[path[-1]]

    return edit


def add_statement(action: str, resource_: str) -> Callable[[Properties], None]:
    def edit(properties: Properties) -> None:
        statement = {"Effect": "Allow", "Action": action, "Resource": resource_}
        properties["PolicyDocument"]["Statement"].append(statement)

    return edit


def add_action(sid: str, action: str) -> Callable[[Properties], None]:
    """Adds to the statement with this id."""

    def edit(properties: Properties) -> None:
        statement = next(each for each in properties["PolicyDocument"]["Statement"] if each.get("Sid") == sid)
        actions = statement["Action"]
        statement["Action"] = [*(actions if isinstance(actions, list) else [actions]), action]

    return edit


def drop_statement(sid: str) -> Callable[[Properties], None]:
    def edit(properties: Properties) -> None:
        statements = properties["PolicyDocument"]["Statement"]
        others = [each for each in statements if each.get("Sid") != sid]
        assert len(others) < len(statements)
        properties["PolicyDocument"]["Statement"] = others

    return edit


def container(*path: str, value: Any) -> Callable[[Properties], None]:
    def edit(properties: Properties) -> None:
        put(*path, value=value)(properties["ContainerDefinitions"][0])

    return edit


def replace_in_dashboard(before: str, after: str) -> Callable[[Properties], None]:
    def edit(properties: Properties) -> None:
        parts = properties["DashboardBody"]["Fn::Join"][1]
        assert any(before in part for part in parts if isinstance(part, str))
        properties["DashboardBody"]["Fn::Join"][1] = [
            part.replace(before, after) if isinstance(part, str) else part for part in parts
        ]

    return edit


def rename_metric(name: str) -> Callable[[Properties], None]:
    def edit(properties: Properties) -> None:
        metric = next(each["MetricStat"]["Metric"] for each in properties["Metrics"] if "MetricStat" in each)
        metric["MetricName"] = name

    return edit


def change_dimension(value: str) -> Callable[[Properties], None]:
    def edit(properties: Properties) -> None:
        metric = next(each["MetricStat"]["Metric"] for each in properties["Metrics"] if "MetricStat" in each)
        next(each for each in metric["Dimensions"] if each["Name"] == "Process")["Value"] = value

    return edit
