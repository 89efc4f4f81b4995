"""System prompts, one Markdown file each; `{name}` marks a value filled in at build time."""

from importlib.resources import files


def load(name: str, **values: object) -> str:
    return (files(__name__) / f"{name}.md").read_text(encoding="utf-8").format(**values)
