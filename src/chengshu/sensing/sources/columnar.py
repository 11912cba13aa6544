"""Workbooks and Parquet: formats that have columns already."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import fastexcel
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from django.utils.translation import gettext as _

from chengshu.core.errors import Invalid, TooLarge
from chengshu.sensing.sources.mapping import Source
from chengshu.sensing.sources.table import LARGEST, LINE, MOST_CELLS, MOST_COLUMNS, Table, named


def sheets(content: bytes) -> list[str]:
    """The names of a workbook's sheets. Raises `Invalid` for anything else."""
    _unzipped_size(content)
    try:
        return list(fastexcel.read_excel(content).sheet_names)
    except fastexcel.FastExcelError as error:
        raise _no_workbook(error) from error


def xlsx(content: bytes, source: Source, wanted: Sequence[str] | None, most: int | None) -> Table:
    names = sheets(content)
    sheet = source.sheet or (names[0] if names else "")
    if sheet not in names:
        what = _("The workbook has no sheet %(sheet)s.") % {"sheet": sheet[:100]}
        raise Invalid(what, remedy=_("Name columns that are there: %(there)s") % {"there": ", ".join(names)[:300]})
    try:
        read = fastexcel.read_excel(content).load_sheet(
            sheet, header_row=None, skip_rows=source.skip, dtypes="string", n_rows=None if most is None else most + 1
        )
        frame = pl.from_arrow(read.to_arrow())
    except (fastexcel.FastExcelError, pa.ArrowException) as error:
        raise _no_workbook(error) from error
    assert isinstance(frame, pl.DataFrame)
    first = [] if frame.height == 0 else ["" if value is None else str(value) for value in frame.row(0)]
    header = named(first if source.header else [""] * len(first))
    body = frame.slice(1 if source.header else 0)
    body.columns = header
    return _lined(body.select(_wanted(header, wanted)), source.skip + (2 if source.header else 1))


def _no_workbook(error: Exception) -> Invalid:
    return Invalid(_("It is no workbook."), where=str(error)[:200], remedy=_("Save it as XLSX."))


def _unzipped_size(content: bytes) -> None:
    """See that a zip does not grow beyond what can be held: what it says of itself is not believed."""
    size = 0
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            for entry in packed.infolist()[:10_000]:
                with packed.open(entry) as file:
                    while piece := file.read(2**20):
                        size += len(piece)
                        if size > LARGEST:
                            raise TooLarge(_("It is too large once decompressed."), remedy=_("Send it in parts."))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise _no_workbook(error) from error


def parquet(content: bytes, source: Source, wanted: Sequence[str] | None, most: int | None) -> Table:
    try:
        texts = [field.name for field in pq.read_schema(pa.BufferReader(content)) if _is_text(field.type)]
        file = pq.ParquetFile(pa.BufferReader(content), read_dictionary=texts)
        names = [name for name in file.schema_arrow.names if wanted is None or name in wanted]
        _bounded_cells(file.metadata)
        read = file.read(columns=names)
        if sum(_length(column) for column in read.columns) > LARGEST:
            raise TooLarge(_("It is too large once decompressed."), remedy=_("Send it in parts."))
    except (pa.ArrowException, OSError) as error:
        raise Invalid(_("It is no Parquet."), where=str(error)[:200], remedy=_("Write the file again.")) from error
    frame = pl.from_arrow(read)
    assert isinstance(frame, pl.DataFrame)
    frame = frame if most is None else frame.head(most)
    return _lined(frame.select(_as_text(name, dtype) for name, dtype in frame.schema.items()), 1)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind))


def _bounded_cells(told: Any) -> None:
    """See that a small file does not stand for more values than can be held."""
    groups = [told.row_group(number) for number in range(told.num_row_groups)]
    cells = sum(group.column(number).num_values for group in groups for number in range(group.num_columns))
    if max(cells, told.num_rows) > MOST_CELLS or told.num_columns > MOST_COLUMNS:
        raise TooLarge(_("It is too large to be taken at once."), remedy=_("Send it in parts."))


def _length(column: Any) -> int:
    """How many bytes a column takes once its repeated texts are written out."""
    chunks = [chunk for chunk in column.chunks if isinstance(chunk, pa.DictionaryArray)]
    sizes = [pc.sum(pc.take(pc.binary_length(chunk.dictionary), chunk.indices)).as_py() or 0 for chunk in chunks]
    return sum(sizes) if chunks else int(column.nbytes)


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.Datetime):
        return pl.col(name).dt.to_string("%Y-%m-%dT%H:%M:%S%.6f" + ("%:z" if dtype.time_zone else ""))
    if dtype == pl.Boolean:
        return pl.when(pl.col(name)).then(pl.lit("true")).when(~pl.col(name)).then(pl.lit("false")).alias(name)
    if dtype.is_nested():
        return pl.col(name).map_elements(lambda value: json.dumps(value, default=str), return_dtype=pl.String)
    return pl.col(name).cast(pl.String)


def _wanted(there: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    return [name for name in there if wanted is None or name in wanted]


def _lined(frame: pl.DataFrame, first: int) -> Table:
    lines = pl.int_range(first, pl.len() + first, dtype=pl.Int32).alias(LINE)
    return Table(frame=frame.with_columns(lines))
