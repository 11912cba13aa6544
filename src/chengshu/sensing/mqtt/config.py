"""What the settings say of MQTT: off, our own broker, or one outside."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from chengshu.core.errors import CannotStart

EMBEDDED: Final = "embedded"
PORTS: Final = {"mqtt": 1883, "mqtts": 8883}  # where a broker outside is, unless its address says so


@dataclass(frozen=True, kw_only=True, slots=True)
class Listener:
    """Where our own broker listens. With a certificate it speaks TLS."""

    host: str
    port: int
    certificate: str = ""
    key: str = ""

    def context(self) -> ssl.SSLContext | None:
        """What TLS needs; None for plain connections. Raises `CannotStart` when the files cannot be used."""
        if not self.certificate:
            return None
        try:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self.certificate, self.key or None)
        except (OSError, ssl.SSLError) as error:
            raise CannotStart(
                _("The certificate of the MQTT broker cannot be used."),
                where=f"{self.certificate}: {error}",
                remedy=_("Name a certificate and its key in PEM: CHENGSHU_MQTT_CERT, CHENGSHU_MQTT_KEY."),
            ) from error
        return context


@dataclass(frozen=True, kw_only=True, slots=True)
class Outside:
    """A broker that somebody else runs, and what we tell it of changes: topics such as `v1.1/Datastreams(7)/Observations`."""

    host: str
    port: int
    tls: bool
    user: str = ""
    password: str = field(default="", repr=False)
    publish: tuple[str, ...] = ()


def listener() -> Listener:
    """Where our own broker is to listen. Raises `CannotStart` for an open door that nobody asked for."""
    if not (settings.MQTT_CERT or settings.MQTT_PLAIN or _loopback(settings.MQTT_HOST)):
        raise CannotStart(
            _("The MQTT broker would listen to other machines without TLS."), where=f"CHENGSHU_MQTT_HOST={settings.MQTT_HOST}",
            remedy=_("Name a certificate with CHENGSHU_MQTT_CERT, or allow it with CHENGSHU_MQTT_PLAIN=1."),
        )  # fmt: skip
    return Listener(
        host=settings.MQTT_HOST, port=settings.MQTT_PORT, certificate=settings.MQTT_CERT, key=settings.MQTT_KEY
    )


def outside() -> Outside:
    """The broker that CHENGSHU_MQTT names. Raises `CannotStart` when it is no address of one."""
    parts = urlsplit(settings.MQTT)
    if parts.scheme not in PORTS or not parts.hostname or not _is_port(parts):
        raise CannotStart(
            _("This is no address of an MQTT broker."), where="CHENGSHU_MQTT",
            remedy=_("Write embedded, mqtt://user:password@host:1883 or mqtts://…"),
        )  # fmt: skip
    return Outside(
        host=parts.hostname, port=parts.port or PORTS[parts.scheme], tls=parts.scheme == "mqtts",
        user=unquote(parts.username or ""), password=unquote(parts.password or ""), publish=tuple(settings.MQTT_PUBLISH),
    )  # fmt: skip


def endpoints() -> tuple[str, ...]:
    """The addresses that clients are told, without words and passwords; none when MQTT is off."""
    if not settings.MQTT:
        return ()
    if settings.MQTT_URL:
        return tuple(settings.MQTT_URL)
    if settings.MQTT != EMBEDDED:
        try:
            found = outside()
        except CannotStart:
            return ()  # its own process says so
        return (f"{'mqtts' if found.tls else 'mqtt'}://{found.host}:{found.port}",)
    scheme = "mqtts" if settings.MQTT_CERT else "mqtt"
    host = f"[{settings.MQTT_HOST}]" if ":" in settings.MQTT_HOST else settings.MQTT_HOST
    return (f"{scheme}://{host}:{settings.MQTT_PORT}",)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False
