"""Which top-level definitions of a source tree are reached from some of its modules, read from the syntax trees alone.

A definition reaches what its statements name: names, attributes of imported modules, imports inside functions. A class
reaches what any of its methods names. An import reaches the statements that the imported module executes besides
definitions and assignments.
"""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

BODY = ""
"""The statements of a module that define and assign nothing."""


class Definition(NamedTuple):
    module: str
    name: str


@dataclass
class _Statements:
    """What the statements of one definition name: dotted names and imports."""

    names: set[str] = field(default_factory=set[str])
    imports: dict[str, Definition] = field(default_factory=dict[str, Definition])
    modules: set[str] = field(default_factory=set[str])
    """What the imports may execute: modules, and names that may be modules."""

    def add(self, statement: ast.stmt) -> None:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                self.names.add(node.id)
            elif isinstance(node, ast.Attribute) and (name := _dotted(node)):
                self.names.add(name)
            elif isinstance(node, ast.ImportFrom) and node.module:
                self.imports |= {a.asname or a.name: Definition(node.module, a.name) for a in node.names}
                self.modules |= {f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    name = alias.name if alias.asname else alias.name.partition(".")[0]
                    self.imports[alias.asname or name] = Definition(name, BODY)
                    self.modules.add(alias.name)


class SourceTree:
    """The Python files of some folders below `root`."""

    def __init__(self, root: Path, folders: Iterable[str]) -> None:
        self._modules: dict[str, dict[str, _Statements]] = {}
        self._exports: dict[str, tuple[str, ...]] = {}
        for path in (path for folder in folders for path in (root / folder).rglob("*.py")):
            self._parse(_module_name(path.relative_to(root)), path.read_bytes())
        self._packages = {package for module in self._modules for package in _with_parents(module)}

    def exports(self, package: str) -> set[Definition]:
        """The definitions behind the names in `__all__` of the modules of `package`."""
        return {
            self._origin(Definition(module, name))
            for module, names in self._exports.items()
            if _within(module, package)
            for name in names
        }

    def reached(self, entries: Iterable[str]) -> set[Definition]:
        """The definitions that those in the modules below `entries` reach, these included."""
        entries = tuple(entries)
        pending = [
            Definition(module, name)
            for module, definitions in self._modules.items()
            if any(_within(module, entry) for entry in entries)
            for name in definitions
        ]
        reached: set[Definition] = set()
        while pending:
            definition = pending.pop()
            if definition not in reached:
                reached.add(definition)
                pending += self._references(definition)
        return reached

    def _parse(self, module: str, source: bytes) -> None:
        definitions = self._modules[module] = defaultdict(_Statements)
        for statement in ast.parse(source).body:
            names = _defined(statement)
            for name in names or [BODY]:
                definitions[name].add(statement)
            # a module that exports the names of a package has no list of its own
            if "__all__" in names and isinstance(statement, ast.Assign) and _is_literal(statement.value):
                self._exports[module] = tuple(ast.literal_eval(statement.value))

    def _references(self, definition: Definition) -> Iterator[Definition]:
        definitions = self._modules.get(definition.module, {})
        for package in _with_parents(definition.module):
            yield Definition(package, BODY)
        if definition.name not in definitions:
            return
        statements = definitions[definition.name]
        for module in statements.modules:
            yield from (Definition(package, BODY) for package in _with_parents(module))
        imports = (definitions[BODY].imports | statements.imports) if BODY in definitions else statements.imports
        for name in statements.names:
            yield self._origin(self._named(name, definition.module, imports))

    def _named(self, dotted: str, module: str, imports: dict[str, Definition]) -> Definition:
        """The definition that a dotted name denotes: the longest module in it, and the attribute after that."""
        first, *attributes = dotted.split(".")
        if first not in imports:
            return Definition(module, first)
        place = imports[first]
        for attribute in attributes:
            inside = f"{place.module}.{place.name}" if place.name else place.module
            if inside not in self._packages:
                break
            place = Definition(inside, attribute)
        return place

    def _origin(self, definition: Definition) -> Definition:
        """The definition behind a name that modules import from each other."""
        while True:
            definitions = self._modules.get(definition.module, {})
            imports = definitions[BODY].imports if BODY in definitions else {}
            if definition.name in definitions:
                return definition
            if definition.name in imports:
                definition = imports[definition.name]
            elif "*" in imports:
                definition = Definition(imports["*"].module, definition.name)
            else:
                return definition


def _is_literal(value: ast.expr) -> bool:
    return isinstance(value, ast.List) and all(isinstance(item, ast.Constant) for item in value.elts)


def _module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _with_parents(module: str) -> Iterator[str]:
    parts = module.split(".")
    return (".".join(parts[: n + 1]) for n in range(len(parts)))


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (parent := _dotted(node.value)):
        return f"{parent}.{node.attr}"
    return None


def _defined(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case _:
            return []
