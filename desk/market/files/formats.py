"""Reads files as tables; the format is detected from the content, not the name, and archives are unpacked."""

import gzip
import io
import zipfile
import zlib
from dataclasses import dataclass
from typing import Literal, TypeAlias

from desk.market.files.json_files import json_table
from desk.market.files.parquet_files import parquet_table
from desk.market.files.tables import A_HEADER, FORMATS, MAX_BYTES, Table, unreadable
from desk.market.files.text_files import text_table
from desk.market.files.workbooks import DAMAGE_ERRORS, archive_parts, sheets

Format: TypeAlias = Literal["csv", "xlsx", "parquet", "json"]


@dataclass(frozen=True)
class Source:
    """A file's format, and its tables: several only for the visible sheets of a workbook."""

    format: Format
    tables: list[Table]
    notes: tuple[str, ...] = ()


def read_source(content: bytes, name: str = "file") -> Source:
    """Raises `InvalidInput` for an unsupported format or a file that is too large when unpacked."""
    bare = Table(name, [], ())
    _check_size(bare, content)
    notes: list[str] = []
    if content.startswith(b"\x1f\x8b"):
        content = _gunzip(bare, content)
        notes.append("the file was unpacked from gzip")
    elif content.startswith(b"PK\x03\x04") and not _is_workbook(bare, content):
        content, part = _unzip(bare, content)
        notes.append(f"the archive's only file was read: {part}")
    _check_size(bare, content)
    kind, tables = _tables(bare, content)
    return Source(kind, tables, tuple(notes))


def _check_size(bare: Table, content: bytes) -> None:
    if not content.strip():
        raise bare.error("is empty", allowed=A_HEADER, code="empty")
    if len(content) > MAX_BYTES:
        raise bare.error(f"holds {len(content):,} bytes", allowed=f"at most {MAX_BYTES:,}", code="file_too_large")


def _tables(bare: Table, content: bytes) -> tuple[Format, list[Table]]:
    if content.startswith(b"PAR1"):
        return "parquet", [parquet_table(bare, content)]
    if content.startswith(b"PK\x03\x04"):
        if not _is_workbook(bare, content):
            raise bare.error("is an archive in an archive", allowed=FORMATS, code="encoding")
        return "xlsx", sheets(bare, content)
    if content.startswith((b"\xd0\xcf\x11\xe0", b"%PDF")):
        raise bare.error("is an old Excel workbook, an encrypted one, or a PDF", allowed=FORMATS, code="encoding")
    if content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{"):
        return "json", [json_table(bare, content)]
    return "csv", [text_table(bare, content)]


def _is_workbook(bare: Table, content: bytes) -> bool:
    names = {part.filename for part in archive_parts(bare, content)}
    return "xl/workbook.xml" in names or "[Content_Types].xml" in names


def _gunzip(bare: Table, content: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(bare, "gzip", error) from error


def _unzip(bare: Table, content: bytes) -> tuple[bytes, str]:
    """The only file of a zip archive, without the shadow files of macOS."""
    parts = [
        part
        for part in archive_parts(bare, content)
        if not part.is_dir()
        and not part.filename.startswith("__MACOSX/")
        and not part.filename.rpartition("/")[2].startswith(".")
    ]
    if len(parts) != 1:
        reason = f"is an archive of {len(parts)} files, and no Excel workbook"
        raise bare.error(reason, allowed="an archive of one file", code="encoding")
    (part,) = parts
    if part.file_size > MAX_BYTES:
        reason = f"unpacks to {part.file_size:,} bytes"
        raise bare.error(reason, allowed=f"at most {MAX_BYTES:,}", code="file_too_large")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(part) as file:
            return file.read(MAX_BYTES + 1), part.filename.rpartition("/")[2][:80]
    except DAMAGE_ERRORS as error:
        raise unreadable(bare, "a zip archive", error) from error
