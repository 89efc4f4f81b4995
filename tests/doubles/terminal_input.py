"""Standard input that is a terminal."""

import io


class TerminalInput(io.StringIO):
    """What a person types."""

    def isatty(self) -> bool:
        return True
