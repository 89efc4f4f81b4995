"""Live events of runs, through four doors."""

from fastapi import APIRouter

router = APIRouter(tags=["events"])
