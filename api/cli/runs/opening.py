"""Opens the runs that a command works with: those of STRATIGOS_HOME, or those of a server."""

from collections.abc import Generator
from contextlib import closing, contextmanager

from api.cli.runs.port import Runs
from api.settings import Settings, read_settings


@contextmanager
def open_runs(server: str | None) -> Generator[Runs]:
    """The runs of the server that the option or STRATIGOS_SERVER names; of STRATIGOS_HOME without one."""
    settings = read_settings()
    if url := server_url(settings, server):  # an adapter is imported when it is used: the client takes FastAPI
        from api.cli.runs.server import ServerRuns
        from api.client.client import Client

        with Client(url, key=settings.key, renew_key=settings.renew_key) as client:
            yield ServerRuns(client)
        return
    from api.cli.runs.local import LocalRuns

    with closing(LocalRuns(settings)) as runs:
        yield runs


def server_url(settings: Settings, option: str | None) -> str:
    """The server that a command asks; empty for none."""
    return settings.server if option is None else option.strip()
