"""Jinja templates of the exported pages."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template


def load_template(name: str, *folders: Path, **names: Any) -> Template:
    """The template `name` of the first of `folders` that has it; it can use `names`, and undefined names raise."""
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(names)
    return environment.get_template(name)
