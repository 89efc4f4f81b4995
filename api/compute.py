"""The job runner that the settings choose: this process, a Ray cluster, or SageMaker."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from api.compute_settings import SAGEMAKER, check_compute, cluster_of, machines_of

if TYPE_CHECKING:
    from api.settings import Settings
    from desk.market.prices import PriceSource
    from desk.optimization.jobs import JobRunner
    from store.store import Store


@asynccontextmanager
async def create_job_runner(settings: "Settings", store: "Store", prices: "PriceSource") -> "AsyncGenerator[JobRunner]":
    from desk.optimization.inputs.owned_market import load_owned_market, load_owned_prices

    market = partial(load_owned_market, store, prices)
    if settings.compute == SAGEMAKER:
        from desk.compute.sagemaker.runner import sagemaker_runner

        check_compute(settings)
        load_prices = partial(load_owned_prices, store, prices)
        async with sagemaker_runner(store, load_prices, cluster_of(settings), machines_of(settings)) as runner:
            yield runner
    elif settings.compute:
        from desk.compute.ray_cluster import ray_runner

        yield ray_runner(store, market, settings.compute.removeprefix("ray").removeprefix(":"))
    else:
        from desk.compute.local import LocalRunner

        yield LocalRunner(store, market)
