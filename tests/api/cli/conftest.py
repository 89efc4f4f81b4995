from tests.api.cli.chat_terminal import terminal

__all__ = ["terminal"]
