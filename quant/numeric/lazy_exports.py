"""Public names of a package, imported on first use (PEP 562), so that importing the package stays light."""

import ast
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any


def lazy_exports(module: str) -> Callable[[str], Any]:
    """Module-level `__getattr__` for `module` that imports each public name on first use.

    The names and the modules that define them are those of the `if TYPE_CHECKING:` imports of `module`: type checkers,
    import-linter and this function read the same lines; a star stands for the `__all__` of a package. The source is
    parsed at the first access of a name.

    Parameters
    ----------
    module : str
        Dotted name, already in `sys.modules`: a module passes its own `__name__`.

    Raises
    ------
    AttributeError
        By the returned function, for a name that `module` does not export.
    """

    @cache
    def sources() -> dict[str, str]:
        path = Path(sys.modules[module].__file__ or "")
        statements = (node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.ImportFrom))
        imports = [(alias.name, node.module) for node in statements if node.module for alias in node.names]
        return {
            exported: package
            for name, package in imports
            for exported in (import_module(package).__all__ if name == "*" else [name])
        }

    def resolve(name: str) -> Any:
        if name.startswith("_") or name not in sources():
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        value = getattr(import_module(sources()[name]), name)
        setattr(sys.modules[module], name, value)
        return value

    return resolve
