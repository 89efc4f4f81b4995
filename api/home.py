"""The folder of STRATIGOS_HOME."""

from api.settings import Settings
from desk.base.errors import InvalidInput


def prepare_home(settings: Settings) -> None:
    """Create the home; `InvalidInput` if it cannot be written to."""
    probe = settings.home / ".writable"
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)  # only the user may read runs and chats
        probe.touch()
        probe.unlink(missing_ok=True)  # another process may have probed meanwhile
    except OSError as error:
        reason = f"{str(settings.home)!r} cannot be written to: {error.strerror}"
        allowed = "a folder that you can write to or create"
        raise InvalidInput("STRATIGOS_HOME", str(settings.home), reason=reason, allowed=allowed) from error
