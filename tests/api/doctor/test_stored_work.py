"""The checks of stored data: keys, runs, jobs, computations and the audit log."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from api.doctor import stored_work
from api.http.identity.api_keys import KeyTerms, create
from desk.governance.audit_entries import Entry
from desk.governance.audit_log import AuditLog
from desk.optimization.request import OptimizationRequest
from desk.runs.repository import Run
from graphs.runs.computations import Computation
from store.records import Key
from tests.api.http.application import settings_of
from tests.doubles.remote_jobs import Account, cloud_dependencies
from tests.graphs.jobs.queued_runs import queued_dependencies

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("days", "state"), [(None, "warning"), (3, "warning"), (30, "ok")])
async def test_missing_and_expiring_keys_warn(home, days, state):
    settings = settings_of(home).model_copy(update={"auth": "keys"})
    async with queued_dependencies(home) as dependencies:
        if days is not None:
            terms = KeyTerms(owner="anna", roles=("analyst",))
            _, secret = await create(dependencies.store, terms, days=days, now=dependencies.now())
            assert secret not in str(await stored_work.check_keys(dependencies, settings))
        finding = await stored_work.check_keys(dependencies, settings)
    assert finding.state == state


def abandoned_run(dependencies: Any, **changes: Any) -> Run:
    long_ago = dependencies.now() - timedelta(hours=5)
    fields: dict[str, Any] = {"request": OptimizationRequest(), "data_digest": "d", "ledger": "l", "code_version": "c"}
    run = Run(id="left-alone", owner="local", state="created", created_at=long_ago, **fields)
    return run.with_state("validating", at=long_ago, by="worker").with_state("running", at=long_ago, by="worker")


async def test_abandoned_runs_and_unsent_jobs_warn(home):
    settings = settings_of(home)
    async with queued_dependencies(home) as dependencies:
        assert (await stored_work.check_runs(dependencies, settings)).state == "ok"
        await dependencies.store.records.put_many([abandoned_run(dependencies).put(0)])
        finding = await stored_work.check_runs(dependencies, settings)
        assert (finding.state, "left-alone" in finding.found) == ("warning", True)
        assert (await stored_work.check_tickets(dependencies, settings)).state == "ok"
        place = {"job": "j", "number": 1, "at": (dependencies.now() - timedelta(minutes=1)).isoformat()}
        await dependencies.store.records.put(Key("_desk", "turnstile", "anna"), {"count": 1, "places": [place]})
        assert (await stored_work.check_tickets(dependencies, settings)).state == "warning"


async def test_unpolled_computations_are_listed(home):
    settings = settings_of(home)
    async with cloud_dependencies(home, Account()) as dependencies:
        assert (await stored_work.check_computations(dependencies, settings)).state == "ok"
        computation = Computation(owner="local", run="r", job="local-r-plan-0", looked_at=dependencies.now())
        await dependencies.store.records.put_many([computation.put(0)])
        assert (await stored_work.check_computations(dependencies, settings)).state == "ok"
        later = replace(dependencies, now=lambda: computation.looked_at + timedelta(hours=1))
        assert "not polled" in (await stored_work.check_computations(later, settings)).found
    async with queued_dependencies(home) as dependencies:
        assert "STRATIGOS_COMPUTE" in str(await stored_work.check_computations(dependencies, settings))


async def test_a_changed_audit_log_fails(home):
    settings = settings_of(home)
    async with queued_dependencies(home) as dependencies:
        caller = {"owner": "anna", "via": "local", "roles": (), "request": "r", "address": ""}
        log = AuditLog(dependencies.store)
        for action in ("POST /api/jobs", "DELETE /api/jobs/{job_id}"):
            await log.append(Entry(at=dependencies.now(), action=action, object="jobs/1", **caller))
        assert (await stored_work.check_audit_log(dependencies, settings)).state == "ok"
    with closing(sqlite3.connect(home / "store.sqlite")) as connection:
        change = "UPDATE records SET document = replace(document, 'anna', 'anne') WHERE id LIKE '%.2'"
        connection.execute(f"{change} AND kind LIKE 'audit-2%'")
        connection.commit()
    async with queued_dependencies(home) as dependencies:
        finding = await stored_work.check_audit_log(dependencies, settings)
    assert (finding.state, "entry 2" in finding.found) == ("failed", True)
