"""The registry of surrogates: versions 1, 2, 3... per owner and problem; the same trials are fitted once.

The Gaussian process is imported inside functions, so that routes and commands that only list versions start fast.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from desk.base.owners import register_owner
from desk.surrogates.schemas import BadSurrogate, NoSurrogate, Problem, Surrogate
from quant.strategies.trial import Trial
from store.errors import Conflict, Missing
from store.records import Key, Record, iterate_records
from store.store import Store

if TYPE_CHECKING:
    from desk.surrogates.gaussian_process import FittedSurrogate

KIND = "surrogate"


async def register(
    store: Store,
    owner: str,
    problem: Problem,
    trials: Sequence[Trial],
    *,
    run: str,
    name: str,
    universe: str,
    now: datetime,
) -> Surrogate:
    """Fit the trials and store the next version; returns the newest if it is valid and fitted to the same trials."""
    trials_digest = digest_trials(trials)
    newest = await _newest(store, owner, problem.digest())
    if newest is not None and newest.tried == trials_digest and await _is_loadable(store, owner, newest, problem):
        return newest
    content, surrogate = await asyncio.to_thread(_fit_and_encode, problem, trials)
    artifact = hashlib.sha256(content).hexdigest()
    await store.blobs.put(_blob(owner, artifact), content)
    await register_owner(store, owner)
    while True:
        newest = await _newest(store, owner, problem.digest())
        is_same = newest is not None and newest.tried == trials_digest
        new_surrogate = Surrogate(
            problem=problem.digest(),
            version=(newest.version if newest else 0) + (not is_same),
            made_at=now,
            run=run,
            name=name,
            universe=universe,
            trials=len(trials),
            screened=len([trial for trial in trials if trial.screened]),
            tried=trials_digest,
            held_out={target: fit.held_out for target, fit in surrogate.fits.items()},
            artifact=artifact,
            bytes=len(content),
            code_version=problem.code,
        )
        if newest is not None and is_same and newest.artifact == artifact:
            return newest  # another process was first, or the lost file is restored
        try:
            key = _key(owner, new_surrogate.problem, new_surrogate.version)
            await store.records.put(key, new_surrogate.model_dump(mode="json"), expected=None if is_same else 0)
        except Conflict:
            continue
        return new_surrogate


async def latest(store: Store, owner: str, problem: Problem) -> "tuple[Surrogate, FittedSurrogate]":
    """The newest version of a problem, ready to predict."""
    newest = await _newest(store, owner, problem.digest())
    if newest is None:
        raise NoSurrogate(problem.digest())
    return newest, await _load(store, owner, newest, problem)


async def surrogates(store: Store, owner: str) -> list[Surrogate]:
    """The newest first."""
    records = iterate_records(store.records, owner, KIND, newest_first=True)
    return [Surrogate.model_validate(record.document) async for record in records]


def digest_trials(trials: Sequence[Trial]) -> str:
    """Digest of trials of one problem; a config with the same number of paths always has the same evaluation."""
    return hashlib.sha256("\n".join(sorted(f"{t.digest} {t.screened}" for t in trials)).encode()).hexdigest()


async def _newest(store: Store, owner: str, problem: str) -> Surrogate | None:
    last: Record | None = None
    async for record in iterate_records(store.records, owner, KIND, prefix=f"{problem}."):
        last = record
    return None if last is None else Surrogate.model_validate(last.document)


async def _is_loadable(store: Store, owner: str, surrogate: Surrogate, problem: Problem) -> bool:
    try:
        await _load(store, owner, surrogate, problem)
    except BadSurrogate:
        return False
    return True


async def _load(store: Store, owner: str, surrogate: Surrogate, problem: Problem) -> "FittedSurrogate":
    try:
        content = await store.blobs.get(_blob(owner, surrogate.artifact))
    except Missing as error:
        raise BadSurrogate(f"the file of version {surrogate.version} is missing") from error
    return await asyncio.to_thread(_decode, content, problem)


def _fit_and_encode(problem: Problem, trials: Sequence[Trial]) -> "tuple[bytes, FittedSurrogate]":
    from desk.surrogates.file_format import encode
    from desk.surrogates.gaussian_process import fit

    surrogate = fit(problem, trials)
    return encode(surrogate), surrogate


def _decode(content: bytes, problem: Problem) -> "FittedSurrogate":
    from desk.surrogates.file_format import decode

    return decode(content, problem)


def _key(owner: str, problem: str, version: int) -> Key:
    return Key(owner, KIND, f"{problem}.{version:06d}")


def _blob(owner: str, artifact: str) -> str:
    return f"{owner}/surrogates/{artifact}"
