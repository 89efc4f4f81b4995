"""`data correlations`: checks a correlation matrix, and writes the nearest valid one by consent."""

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from api.accepted_values import input_error
from api.cli.exit_codes import DONE, USER_ERROR
from api.cli.options import AsJson
from api.cli.output.files import save_file
from api.cli.terminal import plain, stdout
from desk.base.errors import InvalidInput
from desk.portfolios.correlation_schemas import CorrelationMatrix

if TYPE_CHECKING:
    from desk.portfolios.correlation_schemas import CorrelationCheck

_ALLOWED = "a CSV file with a header of names and a row of correlations for each, or a JSON list of rows"
_ROW: TypeAdapter[list[float]] = TypeAdapter(list[float])
_LARGEST_FILE = 1_000_000


def correlations(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A correlation matrix: CSV with names, or JSON rows.")],
    *,
    repair: Annotated[
        str | None,
        typer.Option("--repair", metavar="OUTPUT", help="Write the nearest valid matrix here, if FILE is none."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite OUTPUT.")] = False,
    json_: AsJson = False,
) -> int:
    """Check whether returns can have these correlations (exit code 2 if not); --repair consents to the nearest ones."""
    from desk.portfolios.correlations import check_correlations  # imports numpy

    names, rows = read_matrix(Path(file))
    checked = check_correlations(rows)
    if json_:
        print(checked.model_dump_json())
    else:
        _print(checked, names)
    if checked.nearest is None:
        return DONE
    if repair is None:
        return USER_ERROR
    save_file(repair, _as_text(names, checked.nearest, as_csv=not repair.endswith(".json")), force=force)
    return DONE


def read_matrix(path: Path) -> tuple[tuple[str, ...], list[list[float]]]:
    """Names, or the numbers of the rows where a file has none, and rows."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise InvalidInput("FILE", str(path), reason=f"{path} is too large", allowed="a matrix of at most 1 MB")
        text = path.read_text(encoding="utf-8-sig").strip()
    except OSError as error:
        raise InvalidInput("FILE", str(path), reason=f"cannot be read: {error.strerror}", allowed=_ALLOWED) from error
    except UnicodeDecodeError as error:
        raise InvalidInput("FILE", str(path), reason=f"{path} is not UTF-8 text", allowed=_ALLOWED) from error
    if text.startswith(("[", "{")):
        names, content = (), _rows_of_json(path, text)
    else:
        names, content = _rows_of_csv(path, text)
    try:
        rows = CorrelationMatrix.model_validate({"matrix": content}).matrix
    except ValidationError as error:
        raise input_error(error) from error
    return names or tuple(str(place) for place in range(1, len(rows) + 1)), rows


def _rows_of_json(path: Path, text: str) -> Any:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        reason = f"{path}, line {error.lineno}, column {error.colno} is not JSON: {error.msg}"
        raise InvalidInput("FILE", str(path), reason=reason, allowed=_ALLOWED) from error
    return content["matrix"] if isinstance(content, dict) and "matrix" in content else content


def _rows_of_csv(path: Path, text: str) -> tuple[tuple[str, ...], list[list[float]]]:
    header, *lines = [[cell.strip() for cell in line] for line in csv.reader(io.StringIO(text)) if any(line)] or [[]]
    names = tuple(cell for cell in header if cell)
    if len(lines) != len(names):
        reason = f"{path} has {len(names)} names and {len(lines)} rows"
        raise InvalidInput("FILE", str(path), reason=reason, allowed=_ALLOWED)
    rows: list[list[float]] = []
    for name, line in zip(names, lines, strict=True):
        cells = line[1:] if line[0] == name else line
        try:
            rows.append(_ROW.validate_python(cells))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            reason = f"{path}, row of {name}: {first['input']!r} is no correlation"
            raise InvalidInput("FILE", str(path), reason=reason, allowed=_ALLOWED) from error
    return names, rows


def _print(checked: "CorrelationCheck", names: tuple[str, ...]) -> None:
    console = stdout()
    console.print(f"{len(names)} assets, smallest eigenvalue {checked.smallest_eigenvalue:.3g}")
    if checked.nearest is None:
        console.print("✔ returns can have these correlations")
        return
    console.print(
        f"✖ no returns can have all these correlations. The nearest matrix has the Frobenius distance "
        f"{checked.distance:.3g}, and changes no correlation by more than {checked.largest_change:.3g}:"
    )
    console.print(plain(_as_text(names, checked.nearest, as_csv=True, digits=4).rstrip()))
    console.print("--repair OUTPUT writes it, and so consents to it; nothing is changed otherwise.")


def _as_text(
    names: tuple[str, ...], rows: tuple[tuple[float, ...], ...], *, as_csv: bool, digits: int | None = None
) -> str:
    values = [[value if digits is None else round(value, digits) for value in row] for row in rows]
    if not as_csv:
        return json.dumps(values)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([["", *names], *([name, *row] for name, row in zip(names, values, strict=True))])
    return text.getvalue()
