"""The middleware of every application, in order."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from api.http.middleware.head_limits import HeadLimits
from api.http.middleware.head_requests import HeadRequests
from api.http.middleware.request_log import RequestLog
from api.http.middleware.security_headers import SecurityHeaders
from api.http.rate_limits import AddressRateLimit, RateLimits
from api.settings import Settings

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
CORS_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "X-API-Key",
    "X-Request-Id",
)
CORS_EXPOSED = (
    "Content-Disposition",
    "ETag",
    "Link",
    "Location",
    "Retry-After",
    "X-Cache",
    "X-Next-Cursor",
    "X-Request-Id",
)

COMPRESSED_BYTES = 2_000
"""Size from which responses are compressed; those with the CSRF token are smaller, so their length reveals nothing."""
NOT_COMPRESSED = (
    *DEFAULT_EXCLUDED_CONTENT_TYPES,  # event streams are among them
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
)


def add_middleware(app: FastAPI, settings: Settings, limits: RateLimits | None) -> None:
    """Add the middleware, the innermost first."""
    app.add_middleware(HeadLimits)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins.split(","),
            allow_methods=METHODS,
            allow_headers=CORS_HEADERS,
            expose_headers=CORS_EXPOSED,
        )
    if limits is not None:
        app.add_middleware(AddressRateLimit, limits=limits)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(
        GZipMiddleware, minimum_size=COMPRESSED_BYTES, compresslevel=5, exclude_content_types=NOT_COMPRESSED
    )  # outside of `SecurityHeaders`, which reads pages
    app.add_middleware(HeadRequests)
    app.add_middleware(RequestLog)
