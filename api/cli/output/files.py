"""Content on standard output, or in a file that the person names."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from api.export.reporting import write
from desk.base.errors import InvalidInput

Form = TypeVar("Form", bound=str)


def print_bytes(content: str | bytes) -> None:
    """On standard output, as it is."""
    sys.stdout.buffer.write(content.encode() if isinstance(content, str) else content)


def format_of(output: str, formats: Sequence[Form]) -> Form:
    """The one of the formats that the name of the output ends with."""
    ending = Path(output).suffix.removeprefix(".").lower()
    for name in formats:
        if ending == name:
            return name
    raise InvalidInput("--output", output, allowed=f"a name that ends with .{', .'.join(formats)}, or --format")


def save_file(output: str, content: str | bytes, *, force: bool) -> None:
    """In the file that `--output` names; overwrites one only with `force`."""
    path = Path(output)
    if path.is_dir() or (path.exists() and not force):
        reason = "is a folder" if path.is_dir() else "exists already"
        allowed = "a new file, or --force to overwrite one"
        raise InvalidInput("--output", output, reason=f"{path} {reason}", allowed=allowed)
    try:
        write(path, content)
    except OSError as error:
        reason = f"{path} cannot be written: {error.strerror}"
        raise InvalidInput("--output", output, reason=reason, allowed="a file in a folder of yours") from error
    print(f"Wrote {output}", file=sys.stderr)
