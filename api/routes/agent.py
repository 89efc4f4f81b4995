"""AG-UI, for chat clients."""

from fastapi import APIRouter

router = APIRouter(tags=["agent"])
