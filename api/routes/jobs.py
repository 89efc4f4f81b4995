"""Optimizations."""

from fastapi import APIRouter

router = APIRouter(tags=["jobs"])
