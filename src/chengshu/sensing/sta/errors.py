"""What a SensorThings request may be refused for, with the status that the standard asks for."""

from __future__ import annotations

from chengshu.core.errors import ChengshuError


class BadQuery(ChengshuError):
    """A query option or address that cannot be understood, or asks for what is not there to ask."""

    status = 400


class NotOffered(ChengshuError):
    """What the standard knows and this service does not do."""

    status = 501


class TooSlow(ChengshuError):
    """A query that took longer than one may."""

    status = 503
