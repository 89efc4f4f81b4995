"""Standard input that is a terminal."""

import io


class TerminalInput(io.StringIO):
    """The input of a user."""

    def isatty(self) -> bool:
        return True
