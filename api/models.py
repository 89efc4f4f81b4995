"""The language models that the settings name, created at once or on first use."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from api.secret_references import referenced_secret
from api.settings import Settings, read_model_options

if TYPE_CHECKING:
    from agents.models.factory import Models
    from agents.models.lazy import LazyModels


class CallThreads(ThreadPoolExecutor):
    """Threads for blocking calls; the end of the program does not wait for a call that hangs."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().shutdown(wait=False, cancel_futures=True)


def model_maker(settings: Settings) -> "Callable[[], Models]":
    """A function that creates the models; options and prices are read and checked at once."""
    from agents.models.prices import read_prices

    options, prices = read_model_options(), read_prices(settings.model_prices)

    def make() -> "Models":
        from agents.models.factory import make_models

        return make_models(options, prices=prices, token=referenced_secret("AWS_BEARER_TOKEN_BEDROCK"))

    return make


def prepare_models(settings: Settings, models: "Models | Callable[[], Models] | None") -> "Models | LazyModels | None":
    """The models, checked against the settings; a function creates them on first use."""
    from agents.models.lazy import LazyModels

    if models is None:
        return None
    return LazyModels(lambda: _checked(settings, models())) if callable(models) else _checked(settings, models)


def _checked(settings: Settings, models: "Models") -> "Models":
    from agents.models.prices import check_priced

    check_priced(settings.budgets, models.unpriced)
    if models.threads is not None:  # boto3 blocks, so each call to Bedrock occupies a thread
        threads = models.threads + (os.cpu_count() or 1)
        asyncio.get_running_loop().set_default_executor(CallThreads(threads))
    return models
