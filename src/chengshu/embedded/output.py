"""The lines that child processes write, told apart: prefixed for a terminal, JSON objects otherwise."""

from __future__ import annotations

import json
import sys
import threading
from collections import deque
from typing import BinaryIO, TextIO

from chengshu.logs import Format

COLOURS = ("36", "35", "33", "32", "34")
"""ANSI colours; a program keeps its own, chosen by its name."""

KEPT = 20
"""Last lines of every program that are kept to explain its death."""


class Output:
    """Joins the output of all programs into one stream, line by line."""

    def __init__(self, form: Format, stream: TextIO | None = None) -> None:
        self._form = form
        self._stream = stream or sys.stderr
        self._lock = threading.Lock()
        self._last: dict[str, deque[str]] = {}

    def follow(self, name: str, pipe: BinaryIO) -> threading.Thread:
        """Copy what the program `name` writes into `pipe` until it ends; returns the thread that does so."""
        self._last[name] = deque(maxlen=KEPT)
        thread = threading.Thread(target=self._copy, args=(name, pipe), name=f"output-{name}", daemon=True)
        thread.start()
        return thread

    def last_lines(self, name: str) -> list[str]:
        """Return the last lines of the program `name`, as it wrote them."""
        return list(self._last.get(name, ()))

    def _copy(self, name: str, pipe: BinaryIO) -> None:
        with pipe:
            for raw in pipe:
                line = raw.decode("utf-8", "replace").rstrip()
                if line:
                    self._last[name].append(line)
                    self._write(dress(name, line, self._form))

    def _write(self, line: str) -> None:
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()


def dress(name: str, line: str, form: Format) -> str:
    """Return `line` of the program `name` as it is shown: prefixed, or as a JSON object with the field `program`."""
    if form == "pretty":
        colour = COLOURS[sum(name.encode()) % len(COLOURS)]
        return f"\x1b[{colour}m{name:<8}│\x1b[0m {line}"
    return json.dumps({"program": name, **_fields(line)}, ensure_ascii=False)


def _fields(line: str) -> dict[str, object]:
    if line.startswith("{"):
        try:
            fields = json.loads(line)
        except ValueError:
            fields = None
        if isinstance(fields, dict):
            return fields
    return {"action": "program.printed", "message": line}
