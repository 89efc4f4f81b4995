"""Chat with the assistant."""

from fastapi import APIRouter

router = APIRouter(tags=["threads"])
