"""URLs whose content cannot be replaced on the way."""

from urllib.parse import urlsplit

from api.http.identity.loopback import LOOPBACK


def is_secure_url(url: str) -> bool:
    """Whether the URL is reached by https or on this machine."""
    try:
        parts = urlsplit(url)
        is_valid = parts.port != 0 and parts.hostname is not None
    except ValueError:
        return False
    return is_valid and (parts.scheme == "https" or parts.hostname in LOOPBACK)
