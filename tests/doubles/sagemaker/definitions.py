"""Pipeline definitions: a strict schema, and the resolution of references."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_pascal

from tests.doubles.sagemaker.references import EXECUTION, STEP, references
from tests.doubles.sagemaker.validation import InvalidRequest, Request

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9\-_]{1,64}$")]
Value = str | int | float | bool
Cause = Literal[
    "Step.SERVICE_FAULT",
    "Step.THROTTLING",
    "SageMaker.JOB_INTERNAL_ERROR",
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
]
KINDS: dict[str, Callable[[str], Value]] = {
    "String": str,
    "Integer": int,
    "Float": float,
    "Boolean": lambda text: {"true": True, "false": False}[text.lower()],
}
SECONDS = {"Y": 31_557_600, "M": 2_629_800, "W": 604_800, "D": 86_400, "H": 3_600, "TM": 60}
DURATION = re.compile(
    r"P?(?:(?P<Y>\d+)Y)?(?:(?P<M>\d+)M)?(?:(?P<W>\d+)W)?(?:(?P<D>\d+)D)?(?:T(?:(?P<H>\d+)H)?(?:(?P<TM>\d+)M)?)?",
    re.IGNORECASE,
)


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_pascal, strict=True, frozen=True)


class Parameter(Closed):
    name: Name
    type: Literal["String", "Integer", "Float", "Boolean"]
    default_value: Value | None = None
    enum_values: list[Value] | None = None
    description: str = ""

    def value(self, text: str | None) -> Value:
        """The value given at the start, or the default."""
        try:
            value = self.default_value if text is None else KINDS[self.type](text)
        except (ValueError, KeyError) as error:
            raise InvalidRequest("ValidationException", f"Parameter {self.name}: {text!r} is no {self.type}") from error
        if value is None:
            raise InvalidRequest("ValidationException", f"Parameter {self.name} has no default and is not given")
        if self.enum_values is not None and value not in self.enum_values:
            raise InvalidRequest(
                "ValidationException", f"Parameter {self.name}: {value!r} is not one of {self.enum_values}"
            )
        return value


class Caching(Closed):
    enabled: bool
    expire_after: Annotated[str, Field(min_length=2)] | None = None

    @model_validator(mode="after")
    def is_duration(self) -> "Caching":
        if self.expire_after is not None and not DURATION.fullmatch(self.expire_after):
            raise ValueError(f"ExpireAfter {self.expire_after!r} is no duration of ISO 8601, as P30D or PT1H")
        return self

    @property
    def seconds(self) -> float:
        """Lifetime of a cached result; unlimited by default."""
        match = DURATION.fullmatch(self.expire_after) if self.expire_after else None
        if match is None:
            return float("inf")
        return sum(SECONDS[unit] * int(count) for unit, count in match.groupdict().items() if count)


class Retrying(Closed):
    exception_type: Annotated[list[Cause], Field(min_length=1)]
    interval_seconds: Annotated[int, Field(ge=0, le=43_200)] = 1
    backoff_rate: Annotated[float, Field(ge=0)] = 2.0
    max_attempts: Annotated[int, Field(ge=1, le=20)] | None = None
    expire_after_min: Annotated[int, Field(ge=0, le=14_400)] | None = None

    @model_validator(mode="after")
    def has_one_end(self) -> "Retrying":
        if self.max_attempts is not None and self.expire_after_min is not None:
            raise ValueError("only one of MaxAttempts and ExpireAfterMin can be given")
        return self


class Step(Closed):
    name: Name
    display_name: str = ""
    description: str = ""
    depends_on: list[Name] = []


class ProcessingStep(Step):
    type: Literal["Processing"]
    arguments: Request
    cache_config: Caching | None = None
    retry_policies: list[Retrying] = []
    property_files: list[Request] = []

    @model_validator(mode="after")
    def leaves_its_name(self) -> "ProcessingStep":
        if "ProcessingJobName" in self.arguments:
            raise ValueError("the service makes ProcessingJobName")
        return self


class Equals(Closed):
    type: Literal["Equals"]
    left_value: Any
    right_value: Any


class Branches(Closed):
    conditions: Annotated[list[Equals], Field(min_length=1)]
    if_steps: list["AnyStep"] = []
    else_steps: list["AnyStep"] = []


class ConditionStep(Step):
    type: Literal["Condition"]
    arguments: Branches


AnyStep = Annotated[ProcessingStep | ConditionStep, Field(discriminator="type")]


class Definition(Closed):
    version: Literal["2020-12-01"]
    metadata: dict[str, str] = {}
    parameters: list[Parameter] = []
    pipeline_experiment_config: Request | None = None
    steps: Annotated[list[AnyStep], Field(min_length=1)]


class OrderedStep(NamedTuple):
    """A step with its dependencies, and the condition outcome that it requires."""

    step: AnyStep
    after: set[str]
    only_if: tuple[str, bool] | None = None


def parse(text: str) -> Definition:
    """Parse a definition; raises the service's error."""
    try:
        definition = Definition.model_validate_json(text)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise InvalidRequest("ValidationException", f"Unable to parse pipeline definition. {problems}") from error
    steps = order_steps(definition.steps)
    names, parameters = {each.step.name for each in steps}, {each.name for each in definition.parameters}
    wrong = [f"step {name} is there twice" for name in names if sum(each.step.name == name for each in steps) > 1]
    for each in steps:
        wrong += [f"step {each.step.name} is after {name}, which is no step" for name in each.after - names]
        unknown = [path for path in references(_open_arguments(each.step)) if not _is_known(path, parameters)]
        wrong += [f"step {each.step.name}: {path} is not known" for path in unknown]
    if not wrong and (circle := _circle(steps)):
        wrong.append(f"steps {', '.join(sorted(circle))} wait for each other")
    if wrong:
        raise InvalidRequest("ValidationException", f"Unable to parse pipeline definition. {'; '.join(wrong)}")
    return definition


def order_steps(steps: list[AnyStep], only_if: tuple[str, bool] | None = None) -> list[OrderedStep]:
    """All steps including those of branches."""
    ordered: list[OrderedStep] = []
    for step in steps:
        references_to = {path.split(".")[1] for path in references(_open_arguments(step)) if path.startswith("Steps.")}
        after = references_to | {*step.depends_on} | ({only_if[0]} if only_if else set())
        ordered.append(OrderedStep(step, after, only_if))
        if isinstance(step, ConditionStep):
            ordered += order_steps(step.arguments.if_steps, (step.name, True))
            ordered += order_steps(step.arguments.else_steps, (step.name, False))
    return ordered


def _open_arguments(step: AnyStep) -> Any:
    """The arguments of a step that may contain references."""
    if isinstance(step, ConditionStep):
        return [[each.left_value, each.right_value] for each in step.arguments.conditions]
    return step.arguments


def _is_known(path: str, parameters: set[str]) -> bool:
    kind, _, name = path.partition(".")
    if kind == "Steps":  # existence of the step is checked with the order
        return STEP.fullmatch(path) is not None
    return name in {"Parameters": parameters, "Execution": EXECUTION}.get(kind, set[str]())


def _circle(steps: list[OrderedStep]) -> set[str]:
    dependencies = {each.step.name: set(each.after) for each in steps}
    while ready := {name for name, after in dependencies.items() if not after & dependencies.keys()}:
        dependencies = {name: after for name, after in dependencies.items() if name not in ready}
    return {*dependencies}
