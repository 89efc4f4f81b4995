"""Prices, returns, and imports of data sets."""

from fastapi import APIRouter

router = APIRouter(tags=["market-data"])
