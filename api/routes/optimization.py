"""Portfolio optimizers."""

from fastapi import APIRouter

router = APIRouter(tags=["optimization"])
