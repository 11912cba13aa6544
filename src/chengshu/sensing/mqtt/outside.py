"""A broker outside (EMQX, Mosquitto): a client of it takes what is published there, and tells it of changes.

It knows who its clients are; we do not. What comes in is therefore written as a gateway of the whole city: that broker's own
rules say who may publish to `v1.1/…` and to the topics of sources. A message is acknowledged when it is durable; until then the
broker keeps it for us, also while we are away.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from paho.mqtt.client import MQTT_ERR_QUEUE_SIZE as QUEUE_FULL
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from chengshu.core.errors import ChengshuError, NotFound
from chengshu.logs import get_logger
from chengshu.parties.principal import Principal
from chengshu.parties.roles import Role
from chengshu.places.cities import cities
from chengshu.places.tree import root_division
from chengshu.sensing.mqtt import updates
from chengshu.sensing.mqtt.config import Outside
from chengshu.sensing.mqtt.gather import Gatherer
from chengshu.sensing.mqtt.mapped import Sources
from chengshu.sensing.mqtt.messages import Message
from chengshu.sensing.mqtt.packets import LARGEST
from chengshu.sensing.mqtt.teller import Teller
from chengshu.sensing.mqtt.updates import Update, Watch
from chengshu.sensing.sources.topics import VERSION, of_sensorthings

CREATING: Final = (f"{VERSION}/Observations", f"{VERSION}/+/Observations", f"{VERSION}/CreateObservations")
CLIENT: Final = "chengshu"  # one bridge for a broker: a second of this name would put the first one out
IN_FLIGHT: Final = 5_000  # updates on their way to the broker
OURS: Final = b'"@iot.selfLink"'  # what we told ourselves says its own address; what is created has none yet
AGAIN: Final = 60.0  # seconds between two tries to watch what is not there
WAITING: Final = 20_000  # messages that wait to be taken: then the broker is not listened to
log = get_logger(__name__)


def gateway() -> Principal:
    """As whom messages of a broker outside are written: a gateway of the city that CHENGSHU_STA_CITY names, or of the first."""
    found = next((city for city in cities() if settings.STA_CITY in ("", city.name)), None)
    if found is None:
        raise NotFound("There is no such city.", where=settings.STA_CITY, remedy="Load it with `chengshu load-city`.")
    return Principal(
        account=None, username="mqtt", name="MQTT", post=None, role=Role.GATEWAY, city=found.pk,
        division=root_division(found.pk), department=None,
    )  # fmt: skip


class Bridge:
    """The client of one broker."""

    def __init__(self, base: str, broker: Outside) -> None:
        self._base, self._broker = base, broker
        self._principal = gateway()
        self._sources = Sources()
        self._subscribed: set[str] = set()
        self._watches: tuple[Watch, ...] = ()
        self._gatherer = Gatherer(base, self._settle)
        self._teller = Teller(base, lambda: self._watches, self._tell)
        self._client = self._made()
        self._stop = threading.Event()
        self._again = 0.0

    def _made(self) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id=CLIENT, clean_session=False, manual_ack=True)
        if self._broker.user:
            client.username_pw_set(self._broker.user, self._broker.password)
        if self._broker.tls:
            client.tls_set()
        client.max_queued_messages_set(IN_FLIGHT)
        client.reconnect_delay_set(1, 30)
        client.on_connect, client.on_message, client.on_disconnect = self._connected, self._came, self._lost
        return client

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; a broker that is away is waited for."""
        while not self._look():  # what it kept for us comes at once, and must find its sources
            if stop.wait(1.0):
                return
        self._gatherer.start()
        self._teller.start()
        self._client.connect_async(self._broker.host, self._broker.port, keepalive=30)
        self._client.loop_start()
        while not stop.wait(1.0):
            self._look()
            self._subscribe()
        self._stop.set()
        self._gatherer.stop()
        self._teller.stop()
        self._client.disconnect()
        self._client.loop_stop()
        connection.close()

    def _look(self) -> bool:
        """Read the sources again, and now and then try what could not be watched before; whether the database answered."""
        try:
            self._sources.refresh()
            if time.monotonic() >= self._again:
                self._again = time.monotonic() + AGAIN
                for topic in set(self._broker.publish) - {watch.topic for watch in self._watches}:
                    self._watch(topic)
        except (DatabaseError, InterfaceError) as error:
            connection.close()
            log.warning("mqtt.database-away", error=str(error))
            return False
        return True

    def _watch(self, topic: str) -> None:
        try:
            self._watches = (*self._watches, updates.watch(self._principal, topic, self._base))
        except ChengshuError as error:
            log.warning("mqtt.no-publication", topic=topic, error=str(error)[:300])

    def _subscribe(self) -> None:
        """Subscribe to what is new, and leave what nobody takes any more."""
        if not self._client.is_connected():
            return
        wanted = {*CREATING, *(each.topics for each in self._sources.found)}
        for topic in self._subscribed - wanted:
            self._client.unsubscribe(topic)
        if fresh := sorted(wanted - self._subscribed):
            self._client.subscribe([(topic, 1) for topic in fresh])
        self._subscribed = wanted

    def _connected(
        self, _client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            log.error("mqtt.refused", host=self._broker.host, reason=str(reason))
            return
        log.info("mqtt.connected", host=self._broker.host, port=self._broker.port)
        self._subscribed = set()
        self._subscribe()

    def _lost(
        self, _client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        log.warning("mqtt.broker-away", host=self._broker.host, reason=str(reason))

    def _came(self, client: Client, _data: Any, found: MQTTMessage) -> None:
        """A message of the broker: in the client's own thread, which must never raise."""
        standard = of_sensorthings(found.topic)
        sources = () if standard else self._sources.matching(found.topic)
        if len(found.payload) > LARGEST:
            log.warning("mqtt.too-large", topic=found.topic[:200], bytes=len(found.payload))
        elif (standard and OURS not in found.payload) or sources:
            while self._gatherer.waiting > WAITING and not self._stop.wait(0.05):
                pass
            mark = found.qos << 16 | found.mid
            message = Message(
                topic=found.topic, payload=bytes(found.payload), at=datetime.now(UTC), principal=self._principal,
                sources=sources, mark=mark,
            )  # fmt: skip
            self._gatherer.put(message)
            return
        client.ack(found.mid, found.qos)

    def _settle(self, batch: Sequence[Message], durable: bool) -> None:
        """Acknowledge what is durable; what is not comes again when the broker sends it again."""
        for message in batch:
            if durable and message.mark >> 16:
                self._client.ack(message.mark & 0xFFFF, message.mark >> 16)

    def _tell(self, found: list[Update]) -> None:
        lost = sum(self._client.publish(each.watch.topic, each.payload, qos=1).rc == QUEUE_FULL for each in found)
        if lost:
            log.warning("mqtt.not-published", updates=lost)
