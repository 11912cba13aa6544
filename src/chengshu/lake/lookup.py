"""The rows of one value in a sorted file, within milliseconds: the footer is remembered, one or two row groups are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.fs as pa_fs
import pyarrow.parquet as pq
from deltalake.fs import DeltaStorageHandler
from numpy.typing import NDArray

from chengshu.lake.tables import folder


def rows_of(uri: str, value: int) -> pa.Table:
    """The rows whose first column is `value`, of a file sorted by it. Files never change, so footers may be kept."""
    metadata, lows, highs = _footer(uri)
    groups = np.nonzero((lows <= value) & (highs >= value))[0]
    with _opened(uri) as source:
        file = pq.ParquetFile(source, metadata=metadata, pre_buffer=True)
        table = file.read_row_groups(groups.tolist(), use_threads=False)
    keys = table.column(0).to_numpy()
    first, last = np.searchsorted(keys, value, "left"), np.searchsorted(keys, value, "right")
    return table.slice(first, last - first)


@contextmanager
def _opened(uri: str) -> Iterator[Any]:
    if (place := folder(uri)) is not None:
        with pa.memory_map(str(place)) as source:
            yield source
        return
    root, _, name = uri.rpartition("/")
    with pa_fs.PyFileSystem(DeltaStorageHandler(root)).open_input_file(name) as source:
        yield source


@lru_cache(maxsize=512)
def _footer(uri: str) -> tuple[pq.FileMetaData, NDArray[Any], NDArray[Any]]:
    """What a file says of itself, and the lowest and highest value of each row group."""
    with _opened(uri) as source:
        metadata = pq.read_metadata(source)
    found = [metadata.row_group(group).column(0).statistics for group in range(metadata.num_row_groups)]
    return metadata, np.array([each.min for each in found]), np.array([each.max for each in found])
