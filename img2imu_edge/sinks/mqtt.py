"""`mqtt://broker/topic`: to an MQTT broker, and by it to Home Assistant, Node-RED and the like.

paho-mqtt does the protocol in a thread of its own, and connects again by itself.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, unquote

from img2imu_edge.errors import OutputError
from img2imu_edge.extras import extra
from img2imu_edge.options import options_of
from img2imu_edge.sinks.discovery import entities
from img2imu_edge.sinks.messages import Counters, Decided, Event, Message, dated
from img2imu_edge.sinks.names import Names
from img2imu_edge.sinks.serving import address_of, load_certificate

if TYPE_CHECKING:
    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

PASSWORD: Final = "IMG2IMU_MQTT_PASSWORD"  # noqa: S105 - the name of it
"""Environment variable with the password, which a URL would show to everyone who lists processes."""

_TOPICS: Final = {Decided: "decision", Event: "event", Counters: "counters"}
_IN_FLIGHT: Final = 20
_FIRST_S: Final = 3.0
_LEAVE_S: Final = 2.0
_KEEPALIVE_S: Final = 20


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """Options of `mqtt://` and `mqtts://`.

    Attributes:
        discovery: Home Assistant's discovery prefix; empty for no discovery.
        ca: PEM file of the authority that signed the broker's certificate; the system's authorities if empty.
        cert: PEM file of our own certificate, for brokers that ask for one.
        key: PEM file of its key.
        verify: Whether the broker must prove who it is.
    """

    discovery: str = "homeassistant"
    ca: str = ""
    cert: str = ""
    key: str = ""
    verify: bool = True

    def __post_init__(self) -> None:
        if self.key and not self.cert:
            raise ValueError("a key needs its certificate, cert=its.pem")


def open_mqtt(url: SplitResult, _labels: Sequence[str]) -> MqttSink:
    """The sink behind an `mqtt://` or `mqtts://` URL.

    Raises:
        MissingExtraError: If paho-mqtt is not installed.
        OutputError: If the URL is wrong.
    """
    with extra("mqtt", f"{url.scheme}://"):
        import paho.mqtt.client  # noqa: F401
    return MqttSink(url)


class MqttSink:
    """Publishes with quality of service 1: while the broker is away messages wait, see `Outlet`.

    What is on its way when the connection breaks is sent again, so that a message may come twice.

    Args:
        url: `mqtt[s]://[user[:password]@]host[:port]/topic[?options]`.

    Raises:
        OutputError: If it is wrong.
    """

    def __init__(self, url: SplitResult) -> None:
        self._options = options_of(url, MqttOptions, OutputError)
        self._tls = url.scheme == "mqtts"
        if not self._tls and (self._options.ca or self._options.cert):
            raise OutputError("mqtt:// has no TLS, and no use for a certificate; write mqtts://")
        self._host, self._port = address_of(url, 8883 if self._tls else 1883)
        self._topic = unquote(url.path).strip("/") or "img2imu"
        if set("+#") & set(self._topic):
            raise OutputError(f"{self._topic!r} is no topic to publish to: it has a + or a #")
        self._user, self._password = unquote(url.username or ""), unquote(url.password or "")
        self.url = f"{url.scheme}://{self._host}:{self._port}/{self._topic}"
        self.warnings: list[str] = []
        self._client: Client | None = None
        self._change = threading.Condition()
        self._up = self._closed = self._tried = False
        self._refused: str | None = None
        self._waiting = 0  # messages that the broker has not confirmed
        self._names = Names()  # of sources in topics
        self._announced: set[str] = set()  # names that this broker was told of

    def start(self) -> None:
        """Connect; a broker that is not there yet is tried again and again.

        Raises:
            OutputError: If it refuses us, or cannot prove who it is.
        """
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        client = self._client = Client(CallbackAPIVersion.VERSION2)
        client.max_inflight_messages_set(_IN_FLIGHT)
        client.reconnect_delay_set(1, 10)
        client.will_set(f"{self._topic}/status", "offline", qos=1, retain=True)
        if self._user:
            client.username_pw_set(self._user, self._password or os.environ.get(PASSWORD))
        if self._tls:
            client.tls_set_context(self._context())
            if not self._options.verify:
                self.warnings.append("verify=false: whoever answers is taken for the broker")
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_connect_fail, client.on_publish = self._on_connect_fail, self._on_publish
        client.connect_async(self._host, self._port, _KEEPALIVE_S)
        client.loop_start()
        with self._change:
            self._change.wait_for(lambda: self._tried, _FIRST_S)
            refused, up = self._refused, self._up
        if refused:
            self.close()
            raise OutputError(f"{self.url}: {refused}")
        if not up and not self._tried:
            self.warnings.append("the broker does not answer; trying again, messages wait")

    def take(self, message: Message) -> None:
        """Publish, once the broker is there and has confirmed what came before.

        Raises:
            ConnectionAbortedError: If it was closed meanwhile.
        """
        name = self._names.of(message.source)
        if self._options.discovery and name not in self._announced and not isinstance(message, Event):
            self._announced.add(name)
            for topic, config in entities(self._options.discovery, self._topic, name, message.source):
                self._publish(topic, config, retain=True)
        self._publish(f"{self._topic}/{name}/{_TOPICS[type(message)]}", dated(message))

    def close(self) -> int:
        """Wait for confirmations, say that we leave, and leave."""
        with self._change:
            client, self._client, self._closed = self._client, None, True
            self._change.notify_all()
            if client is None:
                return 0
            self._change.wait_for(lambda: not self._waiting or not self._up, _LEAVE_S)
            lost, up = self._waiting, self._up
        if up:
            client.publish(f"{self._topic}/status", "offline", qos=1, retain=True).wait_for_publish(_LEAVE_S)
        client.disconnect()
        client.loop_stop()
        return lost

    def _publish(self, topic: str, data: dict[str, Any], *, retain: bool = False) -> None:
        with self._change:
            self._change.wait_for(lambda: self._closed or (self._up and self._waiting < _IN_FLIGHT))
            client = self._client
            if self._closed or client is None:
                raise ConnectionAbortedError("closed")
            self._waiting += 1
        client.publish(topic, json.dumps(data, ensure_ascii=False), qos=1, retain=retain)

    def _context(self) -> ssl.SSLContext:
        options = self._options
        try:
            context = ssl.create_default_context(cafile=options.ca or None)
        except OSError as error:
            why = getattr(error, "reason", None) or error.strerror
            raise OutputError(f"cannot read the authority's certificate {options.ca} ({why})") from error
        if options.cert:
            load_certificate(context, options.cert, options.key)
        if not options.verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    def _on_connect(
        self, client: Client, _data: Any, _flags: ConnectFlags, code: ReasonCode, _more: Properties | None
    ) -> None:
        if code.is_failure:
            with self._change:
                if not self._tried:
                    self._refused = f"the broker refuses us ({code}); is there a user and {PASSWORD}?"
                self._tried = True
                self._change.notify_all()
            return
        with self._change:
            self._waiting += 1
            client.publish(f"{self._topic}/status", "online", qos=1, retain=True)
            if self._tried:
                self.warnings.append("connected to the broker")
            self._up = self._tried = True
            self._change.notify_all()

    def _on_connect_fail(self, _client: Client, _data: Any) -> None:
        error = sys.exc_info()[1]  # what paho is about to forget
        with self._change:
            if isinstance(error, ssl.SSLCertVerificationError) and not self._tried:
                self._refused = (
                    f"the broker cannot prove who it is ({error.verify_message}); give ?ca=its.pem"
                )
            elif not self._tried:
                self.warnings.append(f"the broker is not there ({error}); trying again, messages wait")
            self._tried = True
            self._change.notify_all()

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: DisconnectFlags, code: ReasonCode, _more: Properties | None
    ) -> None:
        with self._change:
            if self._up and not self._closed:
                self.warnings.append("lost the broker; messages wait for it")
            self._up = False
            self._announced.clear()  # a broker that is started anew may have forgotten
            self._change.notify_all()

    def _on_publish(
        self, _client: Client, _data: Any, _mid: int, _code: ReasonCode, _more: Properties | None
    ) -> None:
        with self._change:
            self._waiting = max(0, self._waiting - 1)
            self._change.notify_all()
