"""Opens the conversations that a command works with: those of STRATIGOS_HOME, or those of a server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from api.app import create_dependencies
from api.cli.chats.port import Chats
from api.cli.runs.opening import server_url
from api.models import model_maker
from api.settings import read_settings


@asynccontextmanager
async def open_chats(server: str | None, *, answering: bool) -> AsyncGenerator[Chats]:
    """The conversations of the server that the option or STRATIGOS_SERVER names; of STRATIGOS_HOME without one.

    Without `answering` no model is loaded.
    """
    settings = read_settings()
    if url := server_url(settings, server):  # an adapter is imported when it is used: they take FastAPI or LangGraph
        from api.cli.chats.server import ServerChats
        from api.client.client import Client

        with Client(url, key=settings.key, renew_key=settings.renew_key) as client:
            yield ServerChats(client, settings)
        return
    from api.cli.chats.local import LocalChats

    models = model_maker(settings)() if answering else None
    async with create_dependencies(settings, models) as dependencies:
        yield LocalChats(dependencies, settings)
