"""The process of MQTT: our own broker, or the bridge to one outside, until it is stopped."""

from __future__ import annotations

import asyncio
import resource
import threading
from typing import Final

from django.conf import settings
from django.utils.translation import gettext as _

from chengshu.core.errors import CannotStart
from chengshu.sensing.mqtt import config
from chengshu.sensing.mqtt.config import Listener
from chengshu.sensing.mqtt.door import MOST, Door
from chengshu.sensing.mqtt.outside import Bridge
from chengshu.sensing.sta.service import ROOT

FILES: Final = MOST + 1_000


def run(stop: threading.Event) -> None:
    """Work until `stop` is set. Raises `CannotStart` when MQTT is off, or its settings cannot be used."""
    if not settings.MQTT:
        raise CannotStart(
            _("MQTT is off."), where="CHENGSHU_MQTT",
            remedy=_("Write embedded, mqtt://user:password@host:1883 or mqtts://…"),
        )  # fmt: skip
    base = settings.PUBLIC_URL + ROOT
    if settings.MQTT == config.EMBEDDED:
        _allow_many_files()
        asyncio.run(_serve(base, config.listener(), stop))
    else:
        Bridge(base, config.outside()).run(stop)


def _allow_many_files() -> None:
    """Each connection is an open file; as many as the system lets us have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _serve(base: str, listener: Listener, stop: threading.Event) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    waiting = threading.Thread(target=lambda: (stop.wait(), loop.call_soon_threadsafe(ended.set)), daemon=True)
    waiting.start()
    try:
        await Door(base).run(listener, ended)
    except OSError as error:
        raise CannotStart(
            _("The MQTT broker cannot listen there."), where=f"{listener.host}:{listener.port}: {error.strerror or error}",
            remedy=_("Choose another port with CHENGSHU_MQTT_PORT."),
        ) from error  # fmt: skip
