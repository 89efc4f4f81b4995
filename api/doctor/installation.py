"""Checks of the installation: Python, home, database, port, kernels, models, sign-in, clock and compute."""

import asyncio
import shutil
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agents.models.options import BEDROCK
from api.compute_settings import cluster_of
from api.doctor.findings import Finding, failed, ok, refused, skipped, warning
from api.home import prepare_home
from api.http.errors.handlers import Problem
from api.http.identity.loopback import LOOPBACK
from api.settings import ROOT, Settings, read_model_options
from desk.base.errors import InvalidInput, UserError
from store.errors import StoreError, Unavailable

OLDEST_PYTHON, NEWEST_TRIED = (3, 11), (3, 13)
OLDEST_SQLITE = (3, 38)
"""Knows strict tables and `->>`."""
LITTLE, TOO_LITTLE = 2_000_000_000, 200_000_000
"""Bytes of a disk."""
SKEW_SECONDS, REFUSED_SECONDS = 30.0, 300.0
"""From the second on AWS takes no signature."""


def python(version: tuple[int, int]) -> Finding:
    found = f"Python {version[0]}.{version[1]}"
    if version < OLDEST_PYTHON:
        return failed("python", f"{found} is too old", "install Python 3.11 or later, then `make`")
    if version > NEWEST_TRIED:
        return warning("python", f"{found} was never tried", "run `make test`, or take Python 3.11 to 3.13")
    return ok("python", found)


def home(settings: Settings, free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free) -> Finding:
    try:
        prepare_home(settings)
    except InvalidInput as error:
        return refused("home", error)
    left = free(settings.home)
    found = f"{settings.home} can be written to, {left / 1e9:.1f} GB are free"
    if left < LITTLE:
        tell = failed if left < TOO_LITTLE else warning
        return tell("home", found, "make room on its disk, or set STRATIGOS_HOME to a folder on another")
    return ok("home", found)


def database(settings: Settings) -> Finding:
    from store.sqlite.migrations import check_schema

    path, name = settings.home / "store.sqlite", "database"
    if settings.store:
        return skipped(name, "the store is not in the home")
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        return failed(name, f"SQLite {sqlite3.sqlite_version} is too old", "take a Python with SQLite 3.38 or later")
    if not path.exists():
        return ok(name, f"SQLite {sqlite3.sqlite_version}; there is no file yet, the first command makes it")
    repair = f"stop every process, put the last backup in place of {path}, or move it away to begin anew"
    try:
        check_schema(path)
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            wrong = [line for (line,) in connection.execute("PRAGMA quick_check(5)")]
    except StoreError as error:
        return failed(name, str(error), "update the program, or set STRATIGOS_HOME to another folder")
    except sqlite3.Error as error:
        return failed(name, f"{path} cannot be read: {error}", repair)
    if wrong != ["ok"]:
        return failed(name, f"{path} is damaged: {wrong[0]}", repair)
    if mode != "wal":
        return warning(name, f"its journal is {mode}, so readers wait for writers", "open it once on a local disk")
    return ok(name, f"SQLite {sqlite3.sqlite_version}, journal {mode}, no damage found")


def port(settings: Settings) -> Finding:
    place = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            todo = "it may be this service; otherwise choose another STRATIGOS_HOST or STRATIGOS_PORT"
            return warning("port", f"{place} cannot be listened on: {error.strerror or error}", todo)
    return ok("port", f"{place} is free")


def kernels(settings: Settings) -> Finding:  # noqa: ARG001
    """Compiled code is cached by module; a module that is not there takes seconds of the first job."""
    from quant.numeric.compilation import cache_folder, writable

    sources = sorted((ROOT / "quant").rglob("*.py"))
    folders = [cache_folder(path) for path in sources if "\n@compiled" in path.read_text(encoding="utf-8")]
    root = folders[0].parent
    cold = [folder for folder in folders if not any(folder.rglob("*.nbc"))]
    if not cold:
        return ok("kernels", f"{len(folders)} modules are compiled in {root}")
    try:
        place = writable(cold[0]).parent
    except OSError as error:
        return failed(
            "kernels", f"{root} cannot be written to: {error}", "set STRATIGOS_KERNEL_CACHE to a folder of yours"
        )
    found = f"{len(cold)} of {len(folders)} modules are not compiled in {place}"
    return warning("kernels", found, "nothing: the first job compiles them, which takes up to two minutes")


async def models(settings: Settings) -> Finding:
    from api.models import maker_of
    from api.operations.readiness import LONGEST_SECONDS, look_at_models

    name = "models"
    try:
        made = await asyncio.to_thread(maker_of(settings))
        async with asyncio.timeout(2 * LONGEST_SECONDS):
            looked = await look_at_models(made)
    except InvalidInput as error:
        return refused(name, error)
    except (OSError, TimeoutError) as error:
        todo = "look at the network, AWS_REGION, and the proxy or endpoint that is set"
        return failed(name, f"Bedrock cannot be reached: {str(error) or 'no answer'}", todo)
    if looked.status != "ok":
        return failed(name, looked.reason, "set AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role")
    if made.unpriced:
        named = ", ".join(made.unpriced)
        return warning(name, f"the price of {named} is not known", "put it into a file and set MODEL_PRICES")
    return ok(name, f"{made.name}; no call was made")


async def sign_in(settings: Settings) -> Finding:
    from api.http.identity.authentication import check
    from api.http.identity.jwks import PoolKeys

    name, public = "sign-in", settings.host not in LOOPBACK
    if not settings.auth:
        if public:
            todo = "set STRATIGOS_AUTH to keys or cognito, or STRATIGOS_HOST to 127.0.0.1"
            return failed(name, f"nobody signs in, and {settings.host} is no address of this machine only", todo)
        return ok(name, "nobody signs in: one local user, reached from this machine only")
    try:
        check(settings)
        if "cognito" in settings.auth:
            await PoolKeys(settings.cognito_issuer).find("doctor")
    except InvalidInput as error:
        return refused(name, error)
    except Problem:
        todo = "look at COGNITO_ISSUER and the network; until then nobody can sign in with a token"
        return failed(name, f"the keys of {settings.cognito_issuer} cannot be read", todo)
    return ok(name, f"people sign in with {settings.auth.replace(',', ' or ')}")


async def clock(settings: Settings) -> Finding:
    asked = _free_call(settings)
    if asked is None:
        return skipped("clock", "the clock matters to nothing here")
    theirs = await asyncio.to_thread(_their_time, *asked)
    if theirs is None:
        return skipped("clock", "AWS did not answer, so its clock is not known")
    skew = abs((datetime.now(UTC) - theirs).total_seconds())
    found = f"the clock is {skew:.0f} seconds away from that of AWS"
    if skew < SKEW_SECONDS:
        return ok("clock", found)
    tell = failed if skew > REFUSED_SECONDS else warning
    return tell("clock", found, "set the clock of this machine by NTP: AWS refuses requests beyond five minutes")


async def compute(settings: Settings) -> Finding:
    name = "compute"
    if settings.compute.startswith("ray"):
        return await asyncio.to_thread(_ray, settings.compute)
    if not settings.compute:
        return ok(name, "searches are computed by this machine")
    from desk.compute.sagemaker.runner import reach

    cluster = cluster_of(settings)
    try:
        await reach(cluster)
    except (UserError, Unavailable) as error:
        return failed(name, str(error), "look at the credentials, AWS_REGION, the network, and SAGEMAKER_STORAGE")
    return ok(name, f"SageMaker answers; a search takes {cluster.instances} x {cluster.instance_type}")


def _ray(compute: str) -> Finding:
    from desk.compute.ray_cluster import greet, placed

    name, (setting, address) = "compute", placed(compute.removeprefix("ray").removeprefix(":"))
    try:
        if address not in ("local", "auto"):
            greet(address, setting)
    except InvalidInput as error:
        return refused(name, error)
    except OSError as error:
        return failed(name, f"no cluster answers at {address} ({setting}): {error}", f"start it, or unset {setting}")
    if find_spec("ray") is None:
        return failed(name, "Ray is not installed", "`uv sync --group ray`, or unset STRATIGOS_COMPUTE")
    return ok(name, f"searches are computed on {compute}")


def _free_call(settings: Settings) -> tuple[str, str, dict[str, Any]] | None:
    """Of a service of AWS that is used here, something that costs nothing."""
    if table := settings.store or settings.checkpoints:
        return "dynamodb", "describe_table", {"TableName": table.removeprefix("dynamodb:").partition(",")[0]}
    if settings.compute == "sagemaker":
        return "sagemaker", "describe_processing_job", {"ProcessingJobName": "stratigos"}
    if settings.queue:
        return "sqs", "get_queue_attributes", {"QueueUrl": settings.queue.removeprefix("sqs:").partition(",")[0]}
    with suppress(InvalidInput):  # which the look at the models tells
        options = read_model_options()
        if any(name.startswith(BEDROCK) for name in (options.model, *options.agents.values(), *options.fallbacks)):
            return "bedrock-runtime", "list_async_invokes", {"maxResults": 1}
    return None


def _their_time(service: str, call: str, given: dict[str, Any]) -> datetime | None:
    """A refusal has the time too."""
    from botocore.exceptions import BotoCoreError, ClientError

    from store.aws.session import connect

    try:
        with closing(connect(service)) as client:
            answer = getattr(client, call)(**given)
    except ClientError as error:
        answer: Any = error.response
    except (BotoCoreError, Unavailable):
        return None
    told = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return None if told is None else parsedate_to_datetime(told)
