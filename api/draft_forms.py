"""A draft of a job as a form shows it: its fields, and what is still wrong with them."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, JsonValue, RootModel, ValidationError, model_validator

from api.accepted_values import input_errors
from desk.base.errors import InvalidInput, UserError
from desk.optimization.request import OptimizationRequest
from desk.runs.drafts import RETENTION, Draft
from desk.runs.lifetimes import Lifetimes
from desk.runs.states import Transition
from desk.surrogates.problem import reject_prices_file
from quant.numeric.frozen import Frozen

if TYPE_CHECKING:
    from graphs.dependencies import Dependencies


class DraftFields(RootModel[dict[str, JsonValue]]):
    """Fields of the body of `POST /api/jobs`; any may be absent or have an invalid value, and `problems` says so."""

    @model_validator(mode="after")
    def _has_the_shape_of_a_request(self) -> Self:
        names = list(OptimizationRequest.model_fields)
        if unknown := self.root.keys() - set(names):
            msg = f"{min(unknown)!r} is no field of a request; expected {', '.join(names)}"
            raise ValueError(msg)
        try:
            json.dumps(self.root, allow_nan=False, ensure_ascii=False).encode()
        except ValueError as error:
            msg = f"a value is not JSON ({error}); expected finite numbers and Unicode text"
            raise ValueError(msg) from error
        return self


class DraftProblem(Frozen):
    """Why a draft cannot be submitted yet."""

    field: str = Field(description="Path of the field in the request; empty for the whole", examples=["trials"])
    message: str = Field(examples=["'many' is not a number"])
    allowed: str = Field(description="What is accepted", examples=["a whole number, 10 to 5000"])

    def describe(self) -> str:
        return f"{self.field or 'request'}: {self.message}" + (f"; expected {self.allowed}" if self.allowed else "")


class DraftSummary(Frozen):
    id: str = Field(description="The job has the same id after the submission")
    name: str = Field(description="`name` of the request; empty if it has none")
    state: Literal["draft", "expired"]
    """`expired` drafts can still be edited or submitted."""
    created_at: datetime
    edited_at: datetime
    """Time of the last edit."""
    expires_at: datetime = Field(
        description="When the draft expires without a further edit; of an expired draft, when it is deleted"
    )


class DraftForm(DraftSummary):
    request: dict[str, JsonValue] = Field(description="The fields as they were saved")
    problems: tuple[DraftProblem, ...] = Field(description="What a submission would be rejected for; empty if nothing")
    history: tuple[Transition, ...]
    version: int
    """Incremented by each edit; the ETag contains it."""


class DraftPage(Frozen):
    items: tuple[DraftSummary, ...]
    next: str | None = Field(description="`after` of the next page; null on the last")


def draft_summary(draft: Draft, lifetimes: Lifetimes) -> DraftSummary:
    expired_at = None if draft.state == "draft" else draft.history[-1].at
    expires_at = draft.edited_at + lifetimes.draft if expired_at is None else expired_at + RETENTION
    return DraftSummary(
        id=draft.id,
        name=draft.name,
        state="draft" if expired_at is None else "expired",
        created_at=draft.created_at,
        edited_at=draft.edited_at,
        expires_at=expires_at,
    )


async def draft_form(dependencies: "Dependencies", draft: Draft, *, reads_files: bool = False) -> DraftForm:
    """The draft with its problems: of its fields, and if these are valid, of the prices that it needs."""
    return DraftForm(
        **draft_summary(draft, dependencies.lifetimes).model_dump(),
        request=draft.request,
        problems=await _problems(dependencies, draft, reads_files=reads_files),
        history=draft.history,
        version=draft.version,
    )


def parse_draft(draft: Draft, *, reads_files: bool = False) -> OptimizationRequest | tuple[DraftProblem, ...]:
    """The request of a draft whose fields are valid; otherwise what is wrong with them."""
    try:
        request = OptimizationRequest.model_validate(draft.request)
        if not reads_files:
            reject_prices_file(request)
    except ValidationError as error:
        return tuple(dict.fromkeys(map(_problem, input_errors(error))))
    except InvalidInput as error:
        return (_problem(error),)
    return request


async def _problems(dependencies: "Dependencies", draft: Draft, *, reads_files: bool) -> tuple[DraftProblem, ...]:
    from graphs.jobs.drafts import check_submission

    request = parse_draft(draft, reads_files=reads_files)
    if not isinstance(request, OptimizationRequest):
        return request
    error = await check_submission(dependencies, draft.owner, request)
    return () if error is None else (_problem(error),)


def _problem(error: UserError) -> DraftProblem:
    if isinstance(error, InvalidInput):
        return DraftProblem(field=error.field, message=error.reason, allowed=error.allowed)
    return DraftProblem(field="", message=str(error), allowed="")
