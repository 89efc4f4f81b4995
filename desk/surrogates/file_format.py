"""A surrogate as a file: a line that names the format, a line of JSON, and compressed data; nothing in it is code."""

import hashlib
import zlib

import numpy as np
from pydantic import ValidationError

from desk.base.code_version import code_version
from desk.surrogates.features import feature_names
from desk.surrogates.gaussian_process import Fit, Fitted, Floats, Process
from desk.surrogates.schemas import TARGETS, BadSurrogate, HeldOut, Problem, Target
from quant.numeric.frozen import Frozen
from quant.strategies.config import StrategyConfig

_FORMAT = b"stratigos surrogate 1"


class _Header(Frozen):
    problem: str
    code: str
    bytes: int
    sha256: str
    """Of the data, as they follow."""


class _Learned(Frozen):
    """Of one target; its length scales are in the arrays."""

    mean: float
    scale: float
    amplitude: float
    noise: float
    held_out: HeldOut


class _Told(Frozen):
    target_volatility: float
    configs: tuple[StrategyConfig, ...]
    targets: dict[Target, _Learned]


def encode(fitted: Fitted) -> bytes:
    """The same fit gives the same bytes."""
    processes = [fitted.fits[target].process for target in TARGETS]
    told = _Told(
        target_volatility=fitted.target_volatility,
        configs=fitted.configs,
        targets={
            target: _Learned(
                mean=process.mean,
                scale=process.scale,
                amplitude=process.amplitude,
                noise=process.noise,
                held_out=fitted.fits[target].held_out,
            )
            for target, process in zip(TARGETS, processes, strict=True)
        },
    )
    arrays = (fitted.values, fitted.errors, np.array([process.lengths for process in processes]))
    raw = b"".join(np.ascontiguousarray(array, dtype="<f8").tobytes() for array in arrays)
    data = zlib.compress(told.model_dump_json(exclude_none=True).encode() + b"\n" + raw)
    header = _Header(problem=fitted.problem, code=fitted.code, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    return b"\n".join((_FORMAT, header.model_dump_json().encode(), data))


def decode(content: bytes, problem: Problem | None = None) -> Fitted:
    """What `encode` of this program wrote, for `problem` where one is named; anything else is refused by name."""
    first, _, rest = content.partition(b"\n")
    line, _, data = rest.partition(b"\n")
    if first != _FORMAT:
        said = "is of another format" if first.startswith(_FORMAT[:19]) else "is no surrogate"
        raise BadSurrogate(f"the file {said}")
    try:
        header = _Header.model_validate_json(line)
    except ValidationError as error:
        raise BadSurrogate("the file is damaged") from error
    if problem is not None and header.problem != problem.digest():
        raise BadSurrogate("the file belongs to another problem")
    if header.code != (code_version() if problem is None else problem.code):
        raise BadSurrogate("the file was made by another version of the program")
    if len(data) < header.bytes:
        raise BadSurrogate("the file is cut off")
    if len(data) > header.bytes or hashlib.sha256(data).hexdigest() != header.sha256:
        raise BadSurrogate("the file is damaged")
    try:
        return _read(header, data)
    except (zlib.error, ValueError, KeyError) as error:
        raise BadSurrogate("the file is damaged") from error


def _read(header: _Header, data: bytes) -> Fitted:
    text, _, raw = zlib.decompress(data).partition(b"\n")
    told = _Told.model_validate_json(text)
    count, targets = len(told.configs), len(TARGETS)
    numbers = np.frombuffer(raw, dtype="<f8")
    values, errors, lengths = np.split(numbers, [count * targets, 2 * count * targets])
    lengths = lengths.reshape(targets, len(feature_names()))
    return Fitted(
        problem=header.problem,
        code=header.code,
        target_volatility=told.target_volatility,
        configs=told.configs,
        values=values.reshape(count, targets),
        errors=errors.reshape(count, targets),
        fits={target: _fit(told.targets[target], lengths[k]) for k, target in enumerate(TARGETS)},
    )


def _fit(told: _Learned, lengths: Floats) -> Fit:
    return Fit(Process(told.mean, told.scale, told.amplitude, told.noise, lengths), told.held_out)
