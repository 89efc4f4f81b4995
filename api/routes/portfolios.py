"""Portfolios."""

from fastapi import APIRouter

router = APIRouter(tags=["portfolios"])
