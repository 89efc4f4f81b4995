"""Creates runs; the numeric core is imported only for requests that need it."""

import uuid

from desk.base.code_version import code_version
from desk.base.errors import UserError
from desk.base.owners import register_owner
from desk.market.prices import facts_of
from desk.market.universe import split_universe
from desk.optimization.durations import load_durations
from desk.optimization.estimate import estimate
from desk.optimization.repositories.ledger import Entries, save_ledger
from desk.optimization.request import CASH, YIELD, OptimizationRequest
from desk.optimization.stopping import remaining_limit
from desk.runs.earlier_trials import earlier_entries
from desk.runs.repository import Run
from desk.runs.states import Transition
from desk.surrogates.problem import CompletedRequest, complete
from graphs.dependencies import Dependencies


async def create_run(
    dependencies: Dependencies,
    owner: str,
    request: OptimizationRequest,
    *,
    run_id: str | None = None,
    ledger: Entries | None = None,
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
    ledger: Entries | None = None,
) -> Run:
    """A new run, not stored yet; raises `UserError` if the prices cannot serve the request."""
    completed = await prepare_request(dependencies, owner, request)
    earlier = await earlier_entries(dependencies.store, owner, completed.closes) if ledger is None else ledger
    await register_owner(dependencies.store, owner)
    machines, now = dependencies.jobs.machines, dependencies.now()
    remaining_limit(completed.request, machines)  # refuses a budget of money where no price is known
    return Run(
        id=run_id or uuid.uuid4().hex,
        owner=owner,
        state="created",
        created_at=now,
        request=completed.request,
        data_digest=completed.data,
        prices_digest=completed.closes,
        ledger=await save_ledger(dependencies.store, owner, earlier),
        code_version=code_version(),
        estimate=estimate(
            completed.request, machines=machines, durations=await load_durations(dependencies.store, machines)
        ),
        history=(Transition(state="created", at=now, by=owner),),
    )


async def prepare_request(dependencies: Dependencies, owner: str, request: OptimizationRequest) -> CompletedRequest:
    """`complete_request` on the newest versions of the data sets."""
    if request.prices_file is None:
        source = dependencies.prices_of(owner)
        request = request.model_copy(update={"universe": await source.pin(request.universe)})
        if request.safe != CASH and not request.safe.startswith(YIELD):
            beside = request.safe if ":" in request.safe else f"{split_universe(request.universe)[0]}:{request.safe}"
            pinned = await source.pin(beside)
            request = request if beside != request.safe else request.model_copy(update={"safe": pinned})
    return await complete_request(dependencies, owner, request)


async def complete_request(dependencies: Dependencies, owner: str, request: OptimizationRequest) -> CompletedRequest:
    """Complete the request on the owner's prices; raises `UserError` if the prices cannot serve it."""
    source = dependencies.prices_of(owner)
    if request.prices_file is None:
        request = request.model_copy(update={"universe": await source.at_version(request.universe)})
        if request.volatility_index is not None:
            index = await source.at_version(request.volatility_index)
            request = request.model_copy(update={"volatility_index": index})
        update = {name: await source.at_version(text) for name, text in request.series()}
        request = request.model_copy(update=update)
        if ":" in request.safe:  # otherwise cash, or an asset of the universe
            kind = YIELD if request.safe.startswith(YIELD) else ""
            series = await source.at_version(request.safe.removeprefix(kind))
            request = request.model_copy(update={"safe": kind + series})
    completion = await complete(source, request)
    as_stored = request.prices_file is None and request.safe == CASH and not request.series()
    if completion.prices is not None and as_stored:
        await source.save_facts(request.universe, facts_of(completion.prices))
    return completion


def check_version(run: Run) -> None:
    if run.code_version != code_version():
        raise UserError(
            f"run: {run.id!r} was started by another version of the program, whose trials must not be mixed with this "
            "one's; expected the version that started it, or a new run of the same request"
        )
