"""The register of surrogates: of each owner and problem versions 1, 2, 3 and so on, the same trials fitted once."""

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
    from desk.surrogates.gaussian_process import Fitted

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
    """Fit the trials and keep the next version; the newest one where it was fitted on the same trials and is whole."""
    tried = tried_digest(trials)
    newest = await _newest(store, owner, problem.digest())
    if newest is not None and newest.tried == tried and await _is_whole(store, owner, newest, problem):
        return newest
    content, fitted = await asyncio.to_thread(_made, problem, trials)
    artifact = hashlib.sha256(content).hexdigest()
    await store.blobs.put(_blob(owner, artifact), content)
    await register_owner(store, owner)
    while True:
        newest = await _newest(store, owner, problem.digest())
        again = newest is not None and newest.tried == tried
        made = Surrogate(
            problem=problem.digest(),
            version=(newest.version if newest else 0) + (not again),
            made_at=now,
            run=run,
            name=name,
            universe=universe,
            trials=len(trials),
            screened=len([trial for trial in trials if trial.screened]),
            tried=tried,
            held_out={target: fit.held_out for target, fit in fitted.fits.items()},
            artifact=artifact,
            bytes=len(content),
            code_version=problem.code,
        )
        if newest is not None and again and newest.artifact == artifact:
            return newest  # another process was first, or the file was lost and is there again
        try:
            key = _key(owner, made.problem, made.version)
            await store.records.put(key, made.model_dump(mode="json"), expected=None if again else 0)
        except Conflict:
            continue
        return made


async def latest(store: Store, owner: str, problem: Problem) -> "tuple[Surrogate, Fitted]":
    """The newest version of a problem, ready to predict."""
    found = await _newest(store, owner, problem.digest())
    if found is None:
        raise NoSurrogate(problem.digest())
    return found, await _loaded(store, owner, found, problem)


async def surrogates(store: Store, owner: str) -> list[Surrogate]:
    """The newest first."""
    found = iterate_records(store.records, owner, KIND, newest_first=True)
    return [Surrogate.model_validate(record.document) async for record in found]


def tried_digest(trials: Sequence[Trial]) -> str:
    """Names the trials of one problem: the same config on as many paths has the same evaluation."""
    return hashlib.sha256("\n".join(sorted(f"{t.digest} {t.screened}" for t in trials)).encode()).hexdigest()


async def _newest(store: Store, owner: str, problem: str) -> Surrogate | None:
    last: Record | None = None
    async for record in iterate_records(store.records, owner, KIND, prefix=f"{problem}."):
        last = record
    return None if last is None else Surrogate.model_validate(last.document)


async def _is_whole(store: Store, owner: str, surrogate: Surrogate, problem: Problem) -> bool:
    try:
        await _loaded(store, owner, surrogate, problem)
    except BadSurrogate:
        return False
    return True


async def _loaded(store: Store, owner: str, surrogate: Surrogate, problem: Problem) -> "Fitted":
    try:
        content = await store.blobs.get(_blob(owner, surrogate.artifact))
    except Missing as error:
        raise BadSurrogate(f"the file of version {surrogate.version} is missing") from error
    return await asyncio.to_thread(_decoded, content, problem)


def _made(problem: Problem, trials: Sequence[Trial]) -> "tuple[bytes, Fitted]":
    from desk.surrogates.file_format import encode
    from desk.surrogates.gaussian_process import fit

    fitted = fit(problem, trials)
    return encode(fitted), fitted


def _decoded(content: bytes, problem: Problem) -> "Fitted":
    from desk.surrogates.file_format import decode

    return decode(content, problem)


def _key(owner: str, problem: str, version: int) -> Key:
    return Key(owner, KIND, f"{problem}.{version:06d}")


def _blob(owner: str, artifact: str) -> str:
    return f"{owner}/surrogates/{artifact}"
