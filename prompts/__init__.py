"""System prompts, one Markdown file per agent and one with common rules; `{name}` is filled in by `load`."""

from importlib.resources import files


def load(name: str, **values: object) -> str:
    """The prompt `name` with `values` filled in."""
    return (files(__name__) / f"{name}.md").read_text(encoding="utf-8").format(**values)
