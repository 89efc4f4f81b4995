"""The commands whose work a server does: they say the same as those that work in the home."""

import json
import re
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from api.cli.commands.approve import WAITING, Waiting, ask_here
from api.cli.run_lookup import LAST, chosen
from api.client.client import Client, Format, Refused
from api.settings import Settings, read_settings
from desk.base.errors import InvalidInput, UserError
from desk.governance.approval_requests import Question
from desk.governance.approvals import ApprovalDecision, Ruling
from desk.optimization.result import OptimizationResult
from graphs.runs.job_status import Job

FAULT = 1
SHORTEST = 8
"""Letters of a question's id, so that the beginning of a run's is not taken for one."""
WHOLE = re.compile("[0-9a-f]{32}")
"""The id of a question."""
FORBIDDEN, ABSENT = 403, 404


def client_of(url: str) -> Client:
    """The key is in no option: whoever lists the processes of a machine reads their command lines."""
    return Client(url, key=read_settings().key)


def optimize(url: str, given: Mapping[str, Any], file: str | None, resume: str | None, *, as_json: bool) -> int:
    """Submit a job, or go on with one, and follow it to its result."""
    from api.cli.request_options import called, request_from

    settings = read_settings()
    asked = None if resume else request_from(given, file)
    if asked is not None and asked.prices_file is not None:
        reason = "a server reads no files of its clients by their place"
        allowed = "import the file with POST /api/market-data/imports, then --universe with the name of the data set"
        raise InvalidInput("--prices", asked.prices_file, reason=reason, allowed=allowed)
    with client_of(url) as client:
        if asked is None:
            job = _again(client, resume or "")
        else:
            try:
                job = client.submit(asked).id
            except Refused as error:
                raise (called(error_, by_options=file is None) if (error_ := _mendable(error)) else error) from error
        does = "Following run {} at {}" if resume else "Run {} waits for a worker at {}"
        return _followed(client, settings, job, does.format(job, client.url), as_json=as_json)


def decide(url: str, name: str, decided: ApprovalDecision, *, as_json: bool) -> int:
    with client_of(url) as client:
        if (question := _question(client, name)) is not None:
            return _answered(client.decide_approval(question, ruling(decided)), as_json=as_json)
        try:
            job = _found(client, name)
        except InvalidInput as error:
            if name == LAST or error.code != "no_such_run":
                raise
            if WHOLE.fullmatch(name) and _may_see(client, name):  # one of your own or decided: the server says
                return _answered(client.decide_approval(name, ruling(decided)), as_json=as_json)
            raise _neither(name) from error
        told = _rule(client, job, decided)
        if decided.verdict == "rejected":
            print(f"{told}\nRun {job} is rejected; nothing of it was computed", file=sys.stderr)
            return 0
        return _followed(client, read_settings(), job, told, as_json=as_json)


def cancel(url: str, name: str, reason: str) -> int:
    with client_of(url) as client:
        job = client.cancel(_found(client, name), reason=reason)
    told = "is cancelled" if job.state == "cancelled" else "ends within seconds"
    print(f"Run {job.id} {told}; what it has tried is kept", file=sys.stderr)
    return 0


def runs(url: str, *, as_json: bool) -> int:
    from api.cli.commands.runs import list_them

    with client_of(url) as client:
        return list_them(list(client.jobs()), as_json=as_json)


def show(url: str, name: str, *, as_json: bool) -> int:
    from api.cli.commands.runs import show_it

    with client_of(url) as client:
        job = client.job(_found(client, name))
        result = _finished(client, job)
        if as_json:
            sys.stdout.buffer.write(client.export(job.id, "json"))
            return 0
        path = _report(client, read_settings(), job.id)
        show_it(result, path, watermark=None)
        return 0


def export(url: str, name: str, format_: Format) -> bytes:
    with client_of(url) as client:
        job = client.job(_found(client, name))
        _finished(client, job)
        return client.export(job.id, format_)


def reproduce(url: str, name: str) -> int:
    from api.cli.commands.runs import compare

    with client_of(url) as client:
        job = client.job(_found(client, name))
        _finished(client, job)
        asked = client.reproduce(job.id)
        with _left_running(f"Run {job.id} is still being reproduced at {client.url}"):
            found = client.reproduced(asked)
    if found.reproduced_digest is None:
        print(f"RUN: {job.id} was not reproduced: {found.error}", file=sys.stderr)
        return FAULT
    return compare(found.stored_digest, found.reproduced_digest, same_code=found.same_code is True)


def _followed(client: Client, settings: Settings, job: str, told: str, *, as_json: bool) -> int:
    back = f"come back: python -m api optimize --resume {job} --server {client.url}"
    end = f"end it: python -m api cancel {job} --server {client.url}"
    with _left_running(f"Run {job} stays with {client.url}; {back}; {end}"):
        print(told, file=sys.stderr, flush=True)
        return _to_its_end(client, settings, job, as_json=as_json)


def _to_its_end(client: Client, settings: Settings, job: str, *, as_json: bool) -> int:
    """Show what happens, also where a person is asked and does not decide here."""
    begun, after = time.monotonic(), 0
    while True:
        after = _shown(client, job, after)
        found = client.job(job)
        if found.state != "waiting":
            break
        assert found.approval is not None
        asked = found.approval.asked
        if as_json:
            print(json.dumps({"run": job, "state": "waiting", "asked": asked.model_dump(mode="json")}))
            return WAITING
        question = found.approval.question
        waiting = Waiting(job, asked, second_person=not _may_see(client, question), question=question)
        decided = ask_here(settings, waiting, server=client.url)
        if decided is None:
            return WAITING
        print(_rule(client, job, decided), file=sys.stderr)
    if found.state == "failed" and not _is_mendable(found):
        print(_without_result(client, found), file=sys.stderr)
        return FAULT
    result = _finished(client, found)
    from api.cli.commands.optimize import tell

    path = str(_report(client, settings, job))
    seconds = {"wall": time.monotonic() - begun}
    tell(result, job, path, seconds, f"from its submission on, at {client.url}", as_json=as_json)
    return 0


def _shown(client: Client, job: str, after: int) -> int:
    """The number of the last event."""
    from api.cli.output.progress import Reporter
    from api.cli.terminal import stderr

    with Reporter(stderr()) as reporter:
        for live in client.watch(job, after=after):
            after = live.sequence
            reporter.show(live.event)
    return after


@contextmanager
def _left_running(message: str) -> Generator[None]:
    try:
        yield
    except KeyboardInterrupt:
        print(f"Interrupted here. {message}", file=sys.stderr)
        raise


def _again(client: Client, name: str) -> str:
    job = client.job(_found(client, name))
    if job.state in ("failed", "cancelled"):
        client.restart(job.id)
    return job.id


def _rule(client: Client, job: str, decided: ApprovalDecision) -> str:
    """Tell the server; the decision that holds, in words."""
    from api.cli.output.progress import ruled
    from api.cli.terminal import plain

    client.rule(job, ruling(decided))
    held = client.job(job).approval
    assert held is not None
    assert held.decided is not None
    return plain(ruled(held.decided))


def _answered(question: Question, *, as_json: bool) -> int:
    from api.cli.output.progress import ruled
    from api.cli.terminal import plain

    assert question.decided is not None
    print(plain(ruled(question.decided, question.asked.subject)), file=sys.stderr)
    if as_json:
        print(question.model_dump_json())
    return 0


def _question(client: Client, text: str) -> str | None:
    """The id of the question that is meant; None where it is none that waits for whoever asks."""
    if len(text) < SHORTEST:
        return None
    try:
        found = [one.id for one in client.approvals() if one.id.startswith(text)]
    except Refused as error:
        if error.status != FORBIDDEN:
            raise
        return None
    return found[0] if len(found) == 1 else None


def _may_see(client: Client, question: str) -> bool:
    """Whether the question is for somebody like whoever asks."""
    try:
        return not question or client.approval(question).id == question
    except Refused as error:
        if error.status not in (FORBIDDEN, ABSENT):
            raise
        return False


def _neither(text: str) -> InvalidInput:
    allowed = (
        f"an id of `python -m api runs` or its beginning, last, or {SHORTEST} letters or more of a question that "
        "`python -m api approvals` lists; of one that you asked yourself or that was decided the whole id"
    )
    reason = f"neither a run of yours nor a question that waits for you has the id {text!r}"
    return InvalidInput("RUN", text, reason=reason, allowed=allowed, code="no_such_run")


def ruling(decided: ApprovalDecision) -> Ruling:
    """Without who decided and when: that is the server's to say."""
    return Ruling(**decided.model_dump(include=set(Ruling.model_fields)))


def _found(client: Client, text: str) -> str:
    """The id of the job that is meant."""
    if text == LAST:
        newest = next(client.jobs(), None)
        return chosen([newest.id] if newest else [], text)
    return chosen([job.id for job in client.jobs()], text)


def _finished(client: Client, job: Job) -> OptimizationResult:
    if job.state != "completed":
        raise UserError(_without_result(client, job))
    result = client.result(job.id)
    assert isinstance(result, OptimizationResult)
    return result


def _without_result(client: Client, job: Job) -> str:
    there = f"--server {client.url}"
    match job.state:
        case "rejected" | "expired":
            return f"RUN: {job.id} is {job.state} and has no result; expected a completed run, or a new one"
        case "waiting":
            decide = f"python -m api approve {job.id} {there}, or reject"
            return f"RUN: {job.id} waits for a person and has no result yet; expected a completed run ({decide})"
        case _:
            why = f" ({job.progress.last_error})" if job.state == "failed" else ""
            resume = f"python -m api optimize --resume {job.id} {there}"
            return f"RUN: {job.id} is {job.state}{why} and has no result; expected a completed run ({resume} goes on)"


def _is_mendable(job: Job) -> bool:
    return (job.progress.last_error or "").startswith("unusable_input")


def _report(client: Client, settings: Settings, job: str) -> Any:
    from api.export.reporting import report_path, write
    from api.home import prepare_home

    prepare_home(settings)
    path = report_path(settings, job)
    write(path, client.export(job, "html"))
    return path


def _mendable(error: Refused) -> InvalidInput | None:
    """A refused field as the command line tells of it."""
    if len(error.details) != 1:
        return None
    field, message, allowed = error.details[0]
    if allowed is None:
        return None
    return InvalidInput(field.removeprefix("body."), None, reason=message, allowed=allowed)
