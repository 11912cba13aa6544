"""Errors that say what is wrong, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


def gettext_noop(sentence: str) -> str:
    """Mark a sentence for the catalogue, as Django's function of this name, without Django: the command line's help has none."""
    return sentence


MEND = gettext_noop("Mend them, then try again.")


class ChengshuError(Exception):
    """Something went wrong; `what` happened `where`, and `remedy` mends it.

    The three parts are shown to people in this order, and become `detail`, `instance` and `remedy` of an RFC 9457 problem.
    A sentence is a constant, translated when it is shown, or where it names values made by gettext with placeholders when it
    is raised, which happens in the reader's language: `Invalid(_("No page %(n)d.") % {"n": n})`. tools/translations.py checks it.
    """

    status = 400
    exit_code = 1

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what, self.where, self.remedy = what, where, remedy
        super().__init__(what, where, remedy)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what}" + (f" {self.remedy}" if self.remedy else "")


class NotSignedIn(ChengshuError):
    """Nobody is known to call: no token, or one that does not work any more."""

    status = 401


class NotAllowed(ChengshuError):
    """The post in use may not do this."""

    status = 403


class NotFound(ChengshuError):
    """There is no such thing, or this post may not know of it."""

    status = 404


class Conflict(ChengshuError):
    """Somebody else was first; the message tells what happened."""

    status = 409


class Invalid(ChengshuError):
    """The input cannot be used as it is."""

    status = 422
    exit_code = 2


class TooLarge(Invalid):
    """More than is taken at once."""

    status = 413


class CannotStart(ChengshuError):
    """The city cannot start on this machine as it is."""

    exit_code = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Mistake:
    """One mistake in a file: `where` is `file:line`, `what` is wrong, `remedy` mends it."""

    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" → {self.remedy}" if self.remedy else "")


class Mistakes(Invalid):
    """All mistakes found in one reading, so that they can be mended at once."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(map(str, mistakes)), remedy=MEND)
