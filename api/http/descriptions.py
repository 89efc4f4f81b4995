"""Descriptions of the properties in the OpenAPI document.

A property has the description of its `Field`, else the docstring under the field, else that of its name in `RECURRING`,
else the description of the object that it holds.
"""

import ast
import inspect
import sys
import typing
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_fields_from_routes
from pydantic import BaseModel

RECURRING: dict[str, str] = {
    "accepted": "Failing checks that were accepted, with the reasons given",
    "agent": "Name of the agent",
    "asked": "What the decision is about",
    "asset": "Name of the asset",
    "assets": "Names of the assets",
    "at": "Time",
    "author": "Agent or model that wrote it",
    "benchmark": "The same of the benchmark; null without one",
    "by": "User or process that did it",
    "calm_weight": "Weight of the risky leg in the calm state",
    "calmWeight": "Weight of the risky leg in the calm state",
    "caveats": "What a reader must know to judge the numbers",
    "code_version": "Version of the program, as a digest of its source",
    "colour": "Class of the verdict",
    "comment": "Free text of the user",
    "constant_weight": "The constant weight that the strategy is compared with",
    "conversation": "Id of the thread",
    "createdAt": "Time of creation",
    "created_at": "Time of creation",
    "currency": "ISO code of the currency",
    "data_digest": "SHA-256 of the prices",
    "data_version": "SHA-256 of the prices",
    "dataset": "Name of the data set",
    "date": "Day",
    "dates": "Days of the values, in order",
    "decay": "Decay of exponentially weighted estimators, per session",
    "decided": "The decision; null while it is pending",
    "definition": "Meaning in one sentence, with the formula",
    "digest": "SHA-256 that names the configuration: equal ones are the same strategy",
    "dollars": "Cost in US dollars",
    "drawdown": "Largest fall from a peak, a positive fraction",
    "drawdown_cap": "Drawdown at which the weight reaches zero",
    "estimator": "Estimator of the volatility",
    "evaluations": "Metrics by scenario",
    "event": "Kind of the event",
    "excess_return": "Annual return over cash, a fraction",
    "feasible": "Whether all limits are met; null if it was not evaluated on all paths",
    "fields": "Columns beside the closes, such as open and volume",
    "figures": "Every number in the texts, with its unit and source",
    "first": "First day",
    "first_day": "First day",
    "firstDay": "First day",
    "floor": "Share of wealth that is protected",
    "gain": "Change of the weight per unit of missing volatility",
    "headline": "The statement in one line",
    "high": "Upper end of the interval",
    "history": "States with their times and authors, the oldest first",
    "hysteresis": "Distance that a trend must turn before its signal changes, a fraction",
    "id": "Id, unique among the objects of its kind",
    "items": "The items of this page, in order",
    "job": "Id of the job",
    "kind": "What the values are",
    "label": "Name for people",
    "last": "Last day",
    "last_day": "Last day",
    "lastDay": "Last day",
    "level": "Confidence level, a fraction",
    "lookback_days": "Sessions that the estimator uses",
    "loss": "Loss as a positive fraction; null if it cannot be computed",
    "low": "Lower end of the interval",
    "lower": "Lower bound",
    "mean": "Mean",
    "median": "Median",
    "message": "What is wrong, for people",
    "midpoint": "Volatility at which the sigmoid's weight is one half",
    "model": "Name of the model",
    "mu": "Annual mean of simple returns, a fraction",
    "multiplier": "Weight per unit of cushion above the floor",
    "name": "Name",
    "no_trade_band": "Change of weight below which nothing is traded",
    "node": "Node of the graph that emits the event",
    "notes": "Remarks",
    "number": "Number in order, from 1",
    "objective": "Value that the search maximizes, in sample; null if it was not evaluated on all paths",
    "observations": "Sessions in the data",
    "ordinal": "Number of the agent's decision in the run, from 0",
    "paths": "Simulated paths",
    "periods": "Periods of the data",
    "portfolioId": "Id of the stored portfolio; null if the weights or returns were sent",
    "portfolio_id": "Id of a stored portfolio",
    "reason": "Why, for people; empty or null without a reason",
    "rebalancing": "When the weight may change",
    "request_digest": "SHA-256 of the request",
    "result_digest": "SHA-256 of the result; null before there is one",
    "run": "Id of the run or answer",
    "scale": "Width of the sigmoid, in units of volatility",
    "scenario": "Name of the scenario; `history` for the training days",
    "scenarios": "The same by scenario",
    "screened": "Whether it was dropped after few paths, without metrics",
    "seed": "Seed of the random numbers; the same seed gives the same result",
    "sigma": "Annual volatility, a fraction",
    "simulationId": "Id of the simulation",
    "slope": "Fall of the weight per unit of volatility above the target",
    "source": "Source of the data",
    "state": "State of the object",
    "status": "Result of the check",
    "subject": "What is decided: the launch, or the opening of the holdout",
    "symbol": "Ticker or name of the asset",
    "tags": "Labels to filter by, ignoring case",
    "target_volatility": "Annual volatility to aim at, a fraction",
    "text": "Text for people",
    "title": "Title for people",
    "train_end": "Last training day; later days are out of sample",
    "trial": "Number of the trial",
    "trials": "Configurations that are tried",
    "turbulent_weight": "Weight of the risky leg in the turbulent state",
    "turn": "Number of the turn in its thread, from 1",
    "unit": "Unit of the value",
    "universe": "Data set, or assets of one, such as stocks:AAPL,JNJ",
    "updatedAt": "Time of the last change",
    "updated_at": "Time of the last change",
    "upper": "Upper bound",
    "value": "Value",
    "variance_constant": "Numerator of inverse variance: the target volatility, or fitted on training days",
    "version": "Version, incremented by each change",
    "volatility": "Annual volatility, a fraction",
    "warnings": "Warnings about the request or the data",
    "weight": "Fraction of wealth",
    "weight_function": "Rule that sets the weight of the risky leg",
    "weights": "Fractions of wealth by asset",
    "window": "Sessions in the window",
    "year": "Calendar year",
    "years": "Years",
}
"""Fields that mean the same wherever they appear; a docstring under a field takes precedence."""


def describe_properties(document: dict[str, Any], app: FastAPI) -> None:
    """Add the missing descriptions of properties to the schemas of the document."""
    schemas = document["components"]["schemas"]
    for model in models_of(field.field_info.annotation for field in get_fields_from_routes(app.routes)):
        name = model.__name__
        for schema in (schemas[each] for each in (name, f"{name}-Input", f"{name}-Output") if each in schemas):
            _describe(schema, _field_docstrings(model), schemas)


def _describe(schema: dict[str, Any], docstrings: dict[str, str], schemas: dict[str, Any]) -> None:
    for name, node in schema.get("properties", {}).items():
        text = node.get("description") or docstrings.get(name) or RECURRING.get(name) or object_text(node, schemas)
        if text:
            node["description"] = text


def object_text(node: dict[str, Any], schemas: dict[str, Any]) -> str:
    """The first paragraph that describes the object which the node refers to."""
    for option in (node, *node.get("anyOf", ())):
        if "$ref" in option:
            return schemas[option["$ref"].rpartition("/")[2]].get("description", "").partition("\n\n")[0]
    return ""


def models_of(annotations: Iterable[Any]) -> Iterator[type[BaseModel]]:
    """The models that the annotations name, directly and in their fields."""
    todo, seen = list(annotations), set[int]()
    while todo:
        annotation = todo.pop()
        if id(annotation) in seen:
            continue
        seen.add(id(annotation))
        todo.extend(typing.get_args(annotation))
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield annotation
            todo.extend(field.annotation for field in annotation.model_fields.values())


def _field_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The docstrings under the fields of a model, by the name that the document gives the field."""
    written: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            origin = base.__pydantic_generic_metadata__["origin"] or base
            written |= _docstrings(origin.__module__).get(origin.__qualname__, {})
    fields = model.model_fields.items()
    return {field.serialization_alias or name: written[name] for name, field in fields if name in written}


@cache
def _docstrings(module: str) -> dict[str, dict[str, str]]:
    """The docstrings under the fields of each class of a module."""
    classes = (
        node for node in ast.parse(inspect.getsource(sys.modules[module])).body if isinstance(node, ast.ClassDef)
    )
    return {each.name: dict(_pairs(each.body)) for each in classes}


def _pairs(statements: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, text in pairwise(statements):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            yield field.target.id, inspect.cleandoc(text.value.value)
