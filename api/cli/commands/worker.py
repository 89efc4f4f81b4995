"""`worker`: an instance of a SageMaker Processing job, or of anything else that keeps its contract."""

import asyncio
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.operations.log import Secrets, libraries_told, log_to
from api.settings import read_settings
from desk.base.errors import InvalidInput, UserError
from desk.compute.pipeline.definition import STEPS
from desk.compute.sagemaker.processing import FAULT, MENDABLE

if TYPE_CHECKING:
    from desk.compute.container.job_files import Tree

LOST, STOPPED = 75, 143
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

    All it reads and leaves lies below /opt/ml (STRATIGOS_CONTAINER_ROOT): config/resourceconfig.json says who this
    instance is and who else there is; processing/input/work holds the search, its prices and earlier trials;
    processing/input/shards what earlier attempts computed. It leaves shards in processing/output/shards and, on the
    first of the hosts, which leads, finished trials, progress.json and at last summary.json in
    processing/output/result. The other hosts connect to the first one; no other network is needed, and no credentials.

    With --step the inputs are those of the step, as the definition of the pipeline names them, and so is its output.

    Exit codes: 0 done, 1 a fault, 2 something to mend, 75 the first host is gone, 143 ended by SIGTERM. The reason of
    the first three failures stands in output/message. Begun again, it computes no shard that is there.
    """
    from desk.compute.container.job_files import Tree

    settings = read_settings()
    tree = Tree(settings.container_root)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())  # the first process of a container would not hear it
    with log_to(Path(os.devnull), settings.log_level, place="stdout"), libraries_told("stdout"):
        try:
            asyncio.run(_work(tree, stop, step))
        except UserError as error:
            return _failed(tree, str(error), MENDABLE)
        except InterruptedError:
            return STOPPED
        except ConnectionError as error:  # the leader is gone: no fault of this instance, and another attempt helps
            return _failed(tree, f"{error}", LOST)
        except Exception as error:  # the edge: logged whole, told in one sentence
            import structlog

            logger: Any = structlog.get_logger()
            logger.exception("fault")
            return _failed(tree, f"A fault ended the worker: {type(error).__name__}: {error}", FAULT)
    return 0


async def _work(tree: "Tree", stop: threading.Event, step: str | None) -> None:
    if step not in (None, *_STEPS):
        raise InvalidInput("--step", step, allowed=", ".join(_STEPS))
    if not tree.inputs.is_dir():
        allowed = "the folder of a container of SageMaker Processing; without one, `optimize` or `pipeline run`"
        reason = f"there is no folder {tree.inputs}, which would hold the work"
        raise InvalidInput("STRATIGOS_CONTAINER_ROOT", str(tree.root), reason=reason, allowed=allowed)
    from desk.compute.container.worker import work
    from desk.compute.pipeline.step_worker import perform

    stopped = asyncio.Event()

    def end() -> None:
        stop.set()
        stopped.set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
    if stop.is_set():
        raise InterruptedError
    await (work(tree, stop, stopped) if step is None else perform(step, tree, stop, stopped))


def _failed(tree: "Tree", sentence: str, code: int) -> int:
    """SageMaker shows the file to whoever asks what became of the job."""
    told = Secrets(os.environ).text(None, "", sentence)[:LONGEST_MESSAGE]
    print(told, file=sys.stderr)
    if tree.root.is_dir():  # where there is no container, none is made
        with suppress(OSError):  # that it cannot be written must not hide the sentence
            tree.message.parent.mkdir(parents=True, exist_ok=True)
            tree.message.write_text(told, encoding="utf-8")
    return code
