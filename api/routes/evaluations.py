"""Quick evaluations and estimates, answered at once."""

from fastapi import APIRouter

router = APIRouter(tags=["evaluations"])
