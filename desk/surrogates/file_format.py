"""File format of a surrogate: a line with the format, a JSON header line and compressed data; it contains no code."""

import hashlib
import zlib

import numpy as np
from pydantic import ValidationError

from desk.base.code_version import code_version
from desk.surrogates.features import feature_names
from desk.surrogates.gaussian_process import Fit, FittedSurrogate, Process
from desk.surrogates.schemas import TARGETS, BadSurrogate, HeldOut, Problem, Target
from quant.numeric.arrays import Floats
from quant.numeric.frozen import Frozen
from quant.strategies.config import StrategyConfig

_FORMAT = b"stratigos surrogate 1"


class _Header(Frozen):
    problem: str
    code: str
    bytes: int
    sha256: str
    """Digest of the compressed data."""


class _TargetParameters(Frozen):
    """Fitted parameters of one target; its length scales are in the arrays."""

    mean: float
    scale: float
    amplitude: float
    noise: float
    held_out: HeldOut


class _Body(Frozen):
    target_volatility: float
    configs: tuple[StrategyConfig, ...]
    targets: dict[Target, _TargetParameters]


def encode(surrogate: FittedSurrogate) -> bytes:
    """Encode a surrogate deterministically."""
    processes = [surrogate.fits[target].process for target in TARGETS]
    body = _Body(
        target_volatility=surrogate.target_volatility,
        configs=surrogate.configs,
        targets={
            target: _TargetParameters(
                mean=process.mean,
                scale=process.scale,
                amplitude=process.amplitude,
                noise=process.noise,
                held_out=surrogate.fits[target].held_out,
            )
            for target, process in zip(TARGETS, processes, strict=True)
        },
    )
    arrays = (surrogate.values, surrogate.errors, np.array([process.lengths for process in processes]))
    raw = b"".join(np.ascontiguousarray(array, dtype="<f8").tobytes() for array in arrays)
    data = zlib.compress(body.model_dump_json(exclude_none=True).encode() + b"\n" + raw)
    header = _Header(
        problem=surrogate.problem, code=surrogate.code, bytes=len(data), sha256=hashlib.sha256(data).hexdigest()
    )
    return b"\n".join((_FORMAT, header.model_dump_json().encode(), data))


def decode(content: bytes, problem: Problem | None = None) -> FittedSurrogate:
    """Decode a file written by this version, for `problem` if given; raises `BadSurrogate` for any other content."""
    first, _, rest = content.partition(b"\n")
    line, _, data = rest.partition(b"\n")
    if first != _FORMAT:
        flaw = "is of another format" if first.startswith(_FORMAT[:19]) else "is no surrogate"
        raise BadSurrogate(f"the file {flaw}")
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
        return _decode_body(header, data)
    except (zlib.error, ValueError, KeyError) as error:
        raise BadSurrogate("the file is damaged") from error


def _decode_body(header: _Header, data: bytes) -> FittedSurrogate:
    text, _, raw = zlib.decompress(data).partition(b"\n")
    body = _Body.model_validate_json(text)
    count, targets = len(body.configs), len(TARGETS)
    numbers = np.frombuffer(raw, dtype="<f8")
    values, errors, lengths = np.split(numbers, [count * targets, 2 * count * targets])
    lengths = lengths.reshape(targets, len(feature_names()))
    return FittedSurrogate(
        problem=header.problem,
        code=header.code,
        target_volatility=body.target_volatility,
        configs=body.configs,
        values=values.reshape(count, targets),
        errors=errors.reshape(count, targets),
        fits={target: _fit(body.targets[target], lengths[k]) for k, target in enumerate(TARGETS)},
    )


def _fit(parameters: _TargetParameters, lengths: Floats) -> Fit:
    return Fit(
        Process(parameters.mean, parameters.scale, parameters.amplitude, parameters.noise, lengths), parameters.held_out
    )
