"""Foreign formats to one shape: a frame of text columns with the line that each row stood on.

Everything becomes text first, so that the rest needs one way for all formats; rows that cannot be read are refused one by one.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
import polars as pl
from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import iterparse  # type: ignore[import-untyped]
from django.utils.translation import gettext as _

from chengshu.core.errors import Invalid, TooLarge
from chengshu.sensing.records import Reason, Refused
from chengshu.sensing.sources import columnar, gtfs
from chengshu.sensing.sources.mapping import Source
from chengshu.sensing.sources.table import LARGEST, LINE, MOST_CELLS, MOST_COLUMNS, MOST_REFUSED, Table, named

LARGEST_TREE: Final = 32 * 2**20  # of what must be held as a whole: JSON, XML
LONGEST_HEADER: Final = 2**20  # bytes
LONGEST_FIELD: Final = 131_072
CHUNK: Final = 50_000  # rows
DEEPEST: Final = 64  # levels of elements
Row = tuple[int, Sequence[str | None]]


def table(content: bytes, source: Source, *, every: bool = False, most: int | None = None) -> Table:
    """The rows of a content (plain or gzip), with the columns that the mapping names, or `every` one; `most` rows are enough.

    Raises:
        Invalid: it cannot be read as this format at all, or a column is missing.
        TooLarge: it is larger than can be taken at once.
    """
    content = unpacked(content)
    wanted = None if every or source.melt is not None else sorted(source.columns())
    found = _READERS[source.format](content, source, wanted, most)
    if not every and (missing := sorted(source.columns() - set(found.columns))):
        there = _READERS[source.format](content, source, None, 1).columns[:50]
        raise Invalid(
            _("The columns %(missing)s are missing.") % {"missing": ", ".join(missing)[:300]},
            remedy=_("Name columns that are there: %(there)s") % {"there": ", ".join(there)[:500] or "—"},
        )
    if len(found.refused) > MOST_REFUSED:
        raise Invalid(
            _("More than %(most)d rows cannot be read.") % {"most": MOST_REFUSED},
            where=_("line %(n)d") % {"n": found.refused[0].line},
            remedy=_("The mapping does not fit this content: look at the format, the rows and the delimiter."),
        )
    return _without_nul(found)


def _without_nul(read: Table) -> Table:
    """PostgreSQL holds no NUL in a text: a mark takes its place, which no number and no time survives."""
    marked = read.frame.with_columns(pl.col(pl.String).str.replace_all("\x00", "\ufffd", literal=True))
    return Table(frame=marked, refused=read.refused)


def unpacked(content: bytes) -> bytes:
    """The content of a gzip; anything else as it is."""
    if not content.startswith(b"\x1f\x8b"):
        return _bounded(content, LARGEST)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            return _bounded(packed.read(LARGEST + 1), LARGEST)
    except (OSError, EOFError, zlib.error) as error:
        raise Invalid(_("The compressed file is damaged."), remedy=_("Send it again, complete.")) from error


def _bounded(content: bytes, most: int) -> bytes:
    if len(content) > most:
        remedy = _("Send it in parts of at most %(n)d MiB.") % {"n": most // 2**20}
        raise TooLarge(_("It is too large to be taken at once."), remedy=remedy)
    return content


def encoding_of(content: bytes, told: str = "auto") -> str:
    """The encoding of a text: the one told, else UTF-8 when it is, else GB18030 when it is."""
    if told != "auto":
        return "utf-8-sig" if told == "utf-8" else told
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return "utf-16"
    for name in ("utf-8-sig", "gb18030"):
        with suppress(UnicodeDecodeError):
            for _piece in _decoded(content, name):
                pass
            return name
    return "utf-8-sig"


def _decoded(content: bytes, encoding: str) -> Iterator[str]:
    reader = io.TextIOWrapper(io.BytesIO(content), encoding, errors="strict")
    while piece := reader.read(2**20):
        yield piece


def _csv(content: bytes, source: Source, wanted: Sequence[str] | None, most: int | None) -> Table:
    if content[:LONGEST_HEADER].count(b"\n") == 0 and content[:LONGEST_HEADER].count(b"\r") == 0:
        _bounded_header(content)
    encoding = encoding_of(content, source.encoding)
    if b"\x00" in content[:4096] and encoding != "utf-16":
        raise Invalid(_("It is no text."), remedy=_("Send CSV, or choose another format."))
    text = io.TextIOWrapper(io.BytesIO(content), encoding, errors="replace", newline="")
    for _skipped in range(source.skip):
        text.readline(LONGEST_HEADER)
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(text, delimiter=source.delimiter or delimiter_of(content, encoding, source.skip))
    try:
        first = next(reader, [])
    except csv.Error as error:
        raise Invalid(_("The header cannot be read."), where=str(error), remedy=_("Look at the file.")) from error
    names = named(first if source.header else [""] * len(first))
    before = [] if source.header else [(source.skip + 1, first)]
    return _collected(names, _csv_rows(reader, before, source.skip), wanted, most)


def _bounded_header(content: bytes) -> None:
    if len(content) > LONGEST_HEADER:
        raise TooLarge(_("The header is too long."), remedy=_("Is this a CSV with a row a line?"))


def delimiter_of(content: bytes, encoding: str, skip: int = 0) -> str:
    """The delimiter that the first lines have most often; a comma where there is none."""
    lines = content[:65_536].decode(encoding, "replace").splitlines()[skip : skip + 5]
    counts = {each: min((line.count(each) for line in lines), default=0) for each in (",", "\t", ";", "|")}
    best = max(counts, key=lambda each: counts[each])
    return best if counts[best] else ","


def _csv_rows(reader: Any, before: list[tuple[int, list[str]]], skip: int) -> Iterator[tuple[int, Any]]:
    """(line, fields); an error of the reader in place of the fields."""
    yield from before
    while True:
        line = skip + reader.line_num + 1
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, error


def _collected(
    names: list[str], rows: Iterable[tuple[int, Any]], wanted: Sequence[str] | None, most: int | None
) -> Table:
    """Rows of fields as a frame, chunk by chunk; those of another length are refused."""
    kept = [number for number, name in enumerate(names) if wanted is None or name in wanted]
    refused: list[Refused] = []
    parts: list[pl.DataFrame] = []
    chunk: list[Row] = []
    for line, fields in rows:
        if isinstance(fields, csv.Error):
            refused.append(_unread(line, str(fields), ""))
        elif len(fields) == len(names):
            chunk.append((line, [fields[number] for number in kept]))
        elif fields:
            detail = _("%(n)d fields instead of %(right)d") % {"n": len(fields), "right": len(names)}
            refused.append(_unread(line, detail, ",".join(fields)))
        full = most is not None and len(parts) * CHUNK + len(chunk) >= most
        if len(chunk) == CHUNK or full:
            parts.append(_frame([names[number] for number in kept], chunk))
            chunk = []
        if full or len(refused) > MOST_REFUSED:
            break
        if len(parts) * CHUNK * len(kept) > MOST_CELLS:
            raise TooLarge(_("It is too large to be taken at once."), remedy=_("Send it in parts."))
    parts.append(_frame([names[number] for number in kept], chunk))
    return Table(frame=pl.concat(parts), refused=tuple(refused))


def _unread(line: int, detail: str, content: str) -> Refused:
    shown = content[:10_000].replace("\x00", "\ufffd")
    return Refused(
        line=line, reason=Reason.FORM, detail=detail[:500].replace("\x00", "\ufffd"), content={"line": shown}
    )


def _frame(names: Sequence[str], rows: Sequence[Row]) -> pl.DataFrame:
    columns: list[Any] = [*zip(*(row for _line, row in rows), strict=True)] if rows else [() for _name in names]
    given = {name: pl.Series(name, column, dtype=pl.String) for name, column in zip(names, columns, strict=True)}
    return pl.DataFrame({LINE: pl.Series(LINE, [line for line, _row in rows], dtype=pl.Int32), **given})


def _json(content: bytes, source: Source, wanted: Sequence[str] | None, most: int | None) -> Table:
    try:
        found = msgspec.json.decode(_utf8(_bounded(content, LARGEST_TREE), source))
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(_("It is no JSON."), where=str(error)[:200], remedy=_("Look at the content.")) from error
    rows = at_path(found, source.rows)
    if rows is None:
        there = ", ".join(found)[:300] if isinstance(found, dict) else type(found).__name__
        raise Invalid(
            _("There are no rows at the path %(path)s.") % {"path": source.rows or "—"},
            remedy=_("Name columns that are there: %(there)s") % {"there": there},
        )
    return _records(enumerate(rows if isinstance(rows, list) else [rows], start=1), wanted, most)


def _utf8(content: bytes, source: Source) -> bytes:
    encoding = encoding_of(content, source.encoding)
    return (
        content if encoding == "utf-8-sig" and content[:1] != b"\xef" else content.decode(encoding, "replace").encode()
    )


def at_path(value: Any, path: str) -> Any:
    """What stands at a path of names and numbers with dots between; None when nothing does."""
    for step in path.split(".") if path else ():
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _ndjson(content: bytes, source: Source, wanted: Sequence[str] | None, most: int | None) -> Table:
    return _records(_json_lines(_utf8(content, source), source.rows), wanted, most)


def _json_lines(content: bytes, path: str) -> Iterator[tuple[int, Any]]:
    for line, text in enumerate(io.BytesIO(content), start=1):
        if text.strip():
            try:
                yield line, at_path(msgspec.json.decode(text), path)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                yield line, _unread(line, str(error), text[:10_000].decode("utf-8", "replace"))


def _records(rows: Iterable[tuple[int, Any]], wanted: Sequence[str] | None, most: int | None) -> Table:
    """Records (names with values) as a frame: columns are paths; without `wanted` those of the first thousand records."""
    held: list[tuple[int, Any]] = []
    iterator = iter(rows)
    for each in iterator:
        held.append(each)
        if len(held) >= (1000 if most is None else most):
            break
    if wanted is None:
        found: dict[str, None] = {}
        for _line, record in held:
            found.update(dict.fromkeys(paths(record)))
        wanted = list(found)[:MOST_COLUMNS]
    ways = [_way(path) for path in wanted]
    refused: list[Refused] = []

    def fields() -> Iterator[tuple[int, Any]]:
        for source in (held, () if most is not None else iterator):
            for line, record in source:
                if isinstance(record, Mapping):
                    yield line, [_text(way(record)) for way in ways]
                elif len(refused) <= MOST_REFUSED:
                    refused.append(
                        record if isinstance(record, Refused) else _unread(line, _("no record"), str(record))
                    )

    read = _collected(list(wanted), fields(), None, most)
    return Table(frame=read.frame, refused=(*read.refused, *refused))


def paths(record: Any, before: str = "", depth: int = 0) -> Iterator[str]:
    """The paths of a record's plain values; lists are values."""
    if not isinstance(record, Mapping):
        return
    for name, value in record.items():
        path = f"{before}{name}"
        if isinstance(value, Mapping) and depth < 4:
            yield from paths(value, f"{path}.", depth + 1)
        else:
            yield path


def of_records(rows: Iterable[tuple[int, Any]], wanted: Iterable[str]) -> Table:
    """Records with their lines, wherever they come from, with the columns that are wanted; what is `Refused` stays so."""
    return _without_nul(_records(rows, sorted(wanted), None))


def _way(path: str) -> Callable[[Any], Any]:
    """How to reach a path in a record; a name that has dots itself comes first."""

    def plain(record: Any) -> Any:
        return record.get(path)

    def deep(record: Any) -> Any:
        return record[path] if path in record else at_path(record, path)

    return deep if "." in path else plain


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, int | float) else json.dumps(value, ensure_ascii=False)


def _xml(content: bytes, source: Source, wanted: Sequence[str] | None, most: int | None) -> Table:
    _bounded(content, LARGEST_TREE)
    try:
        return _records(enumerate(_elements(content, source.rows), start=1), wanted, most)
    except DefusedXmlException as error:
        what = _("The XML defines entities, which are not read.")
        raise Invalid(what, remedy=_("Send it without a document type definition.")) from error
    except (SyntaxError, ValueError) as error:
        raise Invalid(_("It is no XML."), where=str(error)[:200], remedy=_("Look at the content.")) from error


def _elements(content: bytes, path: str) -> Iterator[dict[str, str]]:
    """Each element at the path as a record: `child/grandchild`, `@attribute`; names without their namespaces."""
    wanted = [step for step in path.split("/") if step not in {"", "."}]
    stack: list[Any] = []
    for event, element in iterparse(io.BytesIO(content), events=("start", "end"), forbid_dtd=True):
        if event == "start":
            stack.append(element)
            if len(stack) > DEEPEST:
                raise ValueError(_("more than %(n)d elements within each other") % {"n": DEEPEST})
            continue
        if [_local(each.tag) for each in stack][-len(wanted) :] == wanted and wanted:
            yield dict(_flat(element, ""))
            element.clear()
        elif not wanted or len(stack) <= 1:
            element.clear()
        stack.pop()


def _flat(element: Any, before: str) -> Iterator[tuple[str, str]]:
    yield from ((f"{before}@{_local(name)}", value) for name, value in element.attrib.items())
    for child in element:
        name = f"{before}{_local(child.tag)}"
        if len(child) == 0:
            yield name, child.text or ""
        yield from _flat(child, f"{name}/")
    if not before and element.text and element.text.strip():
        yield ".", element.text


def _local(tag: Any) -> str:
    return str(tag).rpartition("}")[2]


def _gtfs(content: bytes, source: Source, wanted: Sequence[str] | None, most: int | None) -> Table:
    return _records(enumerate(gtfs.records(_bounded(content, LARGEST_TREE), source.rows), start=1), wanted, most)


_READERS: Final[Mapping[str, Callable[[bytes, Source, Sequence[str] | None, int | None], Table]]] = {
    "csv": _csv, "json": _json, "ndjson": _ndjson, "sql": _ndjson, "xlsx": columnar.xlsx, "parquet": columnar.parquet,
    "xml": _xml, "gtfs-rt": _gtfs,
}  # fmt: skip


def repeated(content: bytes) -> str:
    """The path of the elements that come most often and have something in them; empty when nothing comes twice."""
    counts: dict[str, int] = {}
    path: list[str] = []
    try:
        for event, element in iterparse(io.BytesIO(content), events=("start", "end"), forbid_dtd=True):
            if event == "start":
                path.append(_local(element.tag))
                if len(path) > DEEPEST:
                    return ""
                continue
            if len(element) or element.attrib:
                where = "/".join(path[1:])
                counts[where] = counts.get(where, 0) + 1
            path.pop()
    except (DefusedXmlException, SyntaxError, ValueError):
        return ""
    found = [where for where, count in counts.items() if count > 1]
    return min(found, key=lambda where: (where.count("/"), -counts[where])) if found else next(iter(counts), "")
