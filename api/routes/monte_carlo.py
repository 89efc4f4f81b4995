"""Simulated wealth of portfolios."""

from fastapi import APIRouter

router = APIRouter(tags=["monte-carlo"])
