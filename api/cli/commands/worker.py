"""`worker`: an instance of a SageMaker Processing job, or of another service with the same contract."""

import asyncio
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.exit_codes import DONE
from api.operations.log import Secrets, capture_library_logs, log_to
from api.settings import read_settings
from desk.base.errors import InvalidInput, UserError
from desk.compute.pipeline.definition import STEPS
from desk.compute.sagemaker.processing import FAULT, MENDABLE

if TYPE_CHECKING:
    from desk.compute.container.job_files import ContainerPaths

LEADER_GONE, STOPPED = 75, 143
LONGEST_MESSAGE = 1_000
_STEPS = tuple(step.name for step in STEPS)


def register(app: typer.Typer) -> None:
    app.command()(worker)


def worker(
    *,
    step: Annotated[
        str | None, typer.Option(help=f"Execute this step of the pipeline instead: {', '.join(_STEPS)}.")
    ] = None,
) -> int:
    """Compute a search as an instance of a SageMaker Processing job.

    All input and output is below /opt/ml (STRATIGOS_CONTAINER_ROOT): config/resourceconfig.json names this instance
    and the others; processing/input/work holds the search, its prices and earlier trials; processing/input/shards the
    results of earlier attempts. The worker writes shards to processing/output/shards; the first host, the leader,
    also writes finished trials, progress.json and finally summary.json to processing/output/result. The other hosts
    connect to the leader; no other network and no credentials are needed.

    With --step, the inputs and the output are those of the step in the definition of the pipeline.

    Exit codes: 0 done, 1 a fault, 2 invalid input, 75 the leader is gone, 143 ended by SIGTERM. output/message holds
    the reason for the codes 1, 2 and 75. A restarted worker computes no shard again.
    """
    from desk.compute.container.job_files import ContainerPaths

    settings = read_settings()
    paths = ContainerPaths(settings.container_root)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())  # ignored by default in the first process of a container
    with log_to(Path(os.devnull), settings.log_level, place="stdout"), capture_library_logs("stdout"):
        try:
            asyncio.run(_work(paths, stop, step))
        except UserError as error:
            return _report_failure(paths, str(error), MENDABLE)
        except InterruptedError:
            return STOPPED
        except ConnectionError as error:  # the leader is gone; another attempt may succeed
            return _report_failure(paths, f"{error}", LEADER_GONE)
        except Exception as error:  # the outermost handler: logs the traceback and reports one sentence
            import structlog

            logger: Any = structlog.get_logger()
            logger.exception("fault")
            return _report_failure(paths, f"A fault ended the worker: {type(error).__name__}: {error}", FAULT)
    return DONE


async def _work(paths: "ContainerPaths", stop: threading.Event, step: str | None) -> None:
    if step not in (None, *_STEPS):
        raise InvalidInput("--step", step, allowed=", ".join(_STEPS))
    if not paths.inputs.is_dir():
        allowed = "the folder of a container of SageMaker Processing; without one, `optimize` or `pipeline run`"
        reason = f"the folder {paths.inputs} with the work does not exist"
        raise InvalidInput("STRATIGOS_CONTAINER_ROOT", str(paths.root), reason=reason, allowed=allowed)
    from desk.compute.container.worker import run_worker
    from desk.compute.pipeline.step_worker import run_step

    stop_event = asyncio.Event()

    def end() -> None:
        stop.set()
        stop_event.set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
    if stop.is_set():
        raise InterruptedError
    await (run_worker(paths, stop, stop_event) if step is None else run_step(step, paths, stop, stop_event))


def _report_failure(paths: "ContainerPaths", sentence: str, code: int) -> int:
    """Write the sentence to the file that SageMaker shows as the reason of the failure."""
    text = Secrets(os.environ).text(None, "", sentence)[:LONGEST_MESSAGE]
    print(text, file=sys.stderr)
    if paths.root.is_dir():  # only in a container
        with suppress(OSError):  # a file that cannot be written must not hide the sentence
            paths.message.parent.mkdir(parents=True, exist_ok=True)
            paths.message.write_text(text, encoding="utf-8")
    return code
