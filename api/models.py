"""The models that the settings name, made at once or when the first is asked for."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from api.settings import Settings, read_model_options

if TYPE_CHECKING:
    from agents.models.factory import Models
    from agents.models.lazy import LazyModels


class CallThreads(ThreadPoolExecutor):
    """A call whose endpoint never answers cannot be cancelled; who ends the program does not wait for it."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().shutdown(wait=False, cancel_futures=True)


def maker_of(settings: Settings) -> "Callable[[], Models]":
    """Makes them; options and prices are read now, so that what is wrong with these is told now."""
    from agents.models.prices import read_prices

    options, prices = read_model_options(), read_prices(settings.model_prices)

    def made() -> "Models":
        from agents.models.factory import make_models

        return make_models(options, prices=prices)

    return made


def models_for(settings: Settings, models: "Models | Callable[[], Models] | None") -> "Models | LazyModels | None":
    """Those that are given, checked against the settings; of a function those that it makes when they are needed."""
    from agents.models.lazy import LazyModels

    if models is None:
        return None
    return LazyModels(lambda: _checked(settings, models())) if callable(models) else _checked(settings, models)


def _checked(settings: Settings, models: "Models") -> "Models":
    from agents.models.prices import check_priced

    check_priced(settings.budgets, models.unpriced)
    if models.threads is not None:  # boto3 blocks, so each call to Bedrock holds a thread
        threads = models.threads + (os.cpu_count() or 1)
        asyncio.get_running_loop().set_default_executor(CallThreads(threads))
    return models
