"""From the log of a server that did not come up to a sentence with a remedy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chengshu.core.errors import CannotStart
from chengshu.embedded.words import _


@dataclass(frozen=True, kw_only=True, slots=True)
class Symptom:
    """A text in PostgreSQL's log (always English), what it means and what helps; both are message ids."""

    says: str
    means: str
    remedy: str


def _symptoms() -> tuple[Symptom, ...]:
    return (
        Symptom(
            says="No space left on device",
            means=_("the disk is full."),
            remedy=_("Make room and start again: nothing that was acknowledged is lost."),
        ),
        Symptom(
            says="Read-only file system",
            means=_("the disk cannot be written to."),
            remedy=_("Make it writable, or choose a CHENGSHU_HOME on another disk."),
        ),
        Symptom(
            says="Cannot allocate memory",
            means=_("there is not enough memory for the database."),
            remedy=_("End other programs, or use a machine with more memory."),
        ),
        Symptom(
            says="could not locate a valid checkpoint record",
            means=_("the data of the database are damaged."),
            remedy=_("Restore the folder from a backup."),
        ),
        Symptom(
            says="is not a valid data directory",
            means=_("the data of the database are incomplete."),
            remedy=_("Restore the folder from a backup, or choose another CHENGSHU_HOME."),
        ),
    )


def diagnose(said: str, log: Path) -> CannotStart:
    """Return the error for a server that ended after it had written `said` to the file `log`."""
    for symptom in _symptoms():
        if symptom.says in said:
            return CannotStart(symptom.means, where=str(log), remedy=symptom.remedy)
    return CannotStart(
        _("the database did not start: %(last)s") % {"last": last_words(said)},
        where=str(log),
        remedy=_("Read the end of this log, or set CHENGSHU_DATABASE_URL to a PostgreSQL of your own."),
    )


def last_words(said: str) -> str:
    """Return the last line that tells a failure, else the last line, else a dash."""
    lines = [line for line in said.splitlines() if line.strip()]
    grave = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "ERROR", "error:"))]
    return (grave or lines or ["-"])[-1].strip()
