"""Creates runs; the numeric core is imported only for requests that need it."""

import uuid

from desk.base.code_version import code_version
from desk.base.errors import UserError
from desk.base.owners import register_owner
from desk.market.prices import facts_of
from desk.optimization.repositories.ledger import load_ledger, pipeline_entries, run_entries, save_ledger
from desk.optimization.request import OptimizationRequest
from desk.runs.repository import KIND, Run, load_run_record
from desk.runs.states import Transition
from desk.surrogates.problem import complete
from graphs.dependencies import Dependencies
from store.records import iterate_records
from store.store import Store


async def create_run(
    dependencies: Dependencies,
    owner: str,
    request: OptimizationRequest,
    *,
    run_id: str | None = None,
    ledger: set[str] | None = None,
) -> str:
    """Store a run for the request; raises `UserError`, and stores nothing, if its prices cannot serve it."""
    run = await new_run(dependencies, owner, request, run_id=run_id, ledger=ledger)
    await dependencies.store.records.put_many([run.put(0)])
    return run.id


async def new_run(
    dependencies: Dependencies,
    owner: str,
    request: OptimizationRequest,
    *,
    run_id: str | None = None,
    ledger: set[str] | None = None,
) -> Run:
    """A new run, not stored yet; raises `UserError` if the prices cannot serve the request."""
    if request.prices_file is None:
        request = request.model_copy(update={"universe": await dependencies.prices_of(owner).pin(request.universe)})
    data_digest, request = await complete_request(dependencies, owner, request)
    earlier = await earlier_entries(dependencies.store, owner, data_digest) if ledger is None else ledger
    await register_owner(dependencies.store, owner)
    now = dependencies.now()
    return Run(
        id=run_id or uuid.uuid4().hex,
        owner=owner,
        state="created",
        created_at=now,
        request=request,
        data_digest=data_digest,
        ledger=await save_ledger(dependencies.store, owner, earlier),
        code_version=code_version(),
        history=(Transition(state="created", at=now, by=owner),),
    )


async def complete_request(
    dependencies: Dependencies, owner: str, request: OptimizationRequest
) -> tuple[str, OptimizationRequest]:
    """The digest of the prices and the completed request; raises `UserError` if the prices cannot serve it."""
    source = dependencies.prices_of(owner)
    if request.prices_file is None:
        request = request.model_copy(update={"universe": await source.at_version(request.universe)})
        if request.volatility_index is not None:
            index = await source.at_version(request.volatility_index)
            request = request.model_copy(update={"volatility_index": index})
    completion = await complete(source, request)
    if completion.prices is not None and request.prices_file is None:
        await source.save_facts(request.universe, facts_of(completion.prices))
    return completion.data, completion.request


async def earlier_entries(store: Store, owner: str, data_digest: str) -> set[str]:
    entries = await pipeline_entries(store, owner, data_digest)
    async for record in iterate_records(store.records, owner, KIND, label=("about", data_digest)):
        entries |= await ledger_entries_of(store, Run.model_validate(record.document))
    return entries


async def ledger_entries_of(store: Store, run: Run) -> set[str]:
    """The ledger entries of the run, archived or not."""
    if run.archived is None:
        entries = await run_entries(store, run.owner, run.id, run.request.mandate)
        record = await load_run_record(store, run.owner, run.id, archived=True)
        run = Run.model_validate(record.document)  # its trials may have been archived during the read
        if run.archived is None:
            return entries
    return await load_ledger(store, run.owner, run.archived.tried)


def check_version(run: Run) -> None:
    if run.code_version != code_version():
        raise UserError(
            f"run: {run.id!r} was started by another version of the program, whose trials must not be mixed with this "
            "one's; expected the version that started it, or a new run of the same request"
        )
