"""Virtual peripherals: what is at the far end of the air, and what goes wrong there.

Nothing in here knows of D-Bus. Whatever a test may call, it may call from any thread.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import NamedTuple, Protocol, TypeVar

T = TypeVar("T")


class BlueZError(Exception):
    """What a D-Bus call is answered with: a name such as `org.bluez.Error.Failed`, and a text."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, text)
        self.name, self.text = name if "." in name else f"org.bluez.Error.{name}", text


class Att(IntEnum):
    """Errors of the Attribute Protocol (Bluetooth Core Specification, Vol 3, Part F, 3.4.1.1)."""

    INVALID_HANDLE = 0x01
    READ_NOT_PERMITTED = 0x02
    WRITE_NOT_PERMITTED = 0x03
    AUTHENTICATION = 0x05
    NOT_SUPPORTED = 0x06
    INVALID_OFFSET = 0x07
    AUTHORIZATION = 0x08
    INSUFFICIENT_RESOURCES = 0x11
    INVALID_LENGTH = 0x0D
    UNLIKELY = 0x0E
    ENCRYPTION = 0x0F


def as_bluez(code: int) -> BlueZError:
    """What BlueZ makes of an ATT error (create_gatt_dbus_error in its src/gatt-client.c)."""
    named = {
        Att.READ_NOT_PERMITTED: ("NotPermitted", "Read not permitted"),
        Att.WRITE_NOT_PERMITTED: ("NotPermitted", "Write not permitted"),
        Att.AUTHENTICATION: ("NotPermitted", "Not paired"),
        Att.ENCRYPTION: ("NotPermitted", "Not paired"),
        Att.INVALID_OFFSET: ("InvalidArguments", "Invalid offset"),
        Att.INVALID_LENGTH: ("InvalidArguments", "Invalid Length"),
        Att.AUTHORIZATION: ("NotAuthorized", "Operation Not Authorized"),
        Att.NOT_SUPPORTED: ("NotSupported", "Operation is not supported"),
    }
    known = {int(att): answer for att, answer in named.items()}
    return BlueZError(*known.get(code, ("Failed", f"Operation failed with ATT error: 0x{code:02x}")))


class Failure(Enum):
    """How a Connect or a Pair fails: the error's name and text, as BlueZ has them in src/error.h.

    ABORTED is announced as a connection that comes and goes. HANGS is never answered, until Disconnect is
    called. GONE: BlueZ has forgotten the device meanwhile.
    """

    ABORTED = "Failed", "le-connection-abort-by-local"
    ABORTED_BY_REMOTE = "Failed", "le-connection-abort-by-remote"
    REFUSED = "Failed", "le-connection-refused"
    TIMED_OUT = "Failed", "le-connection-timeout"
    UNKNOWN = "Failed", "le-connection-unknown"
    KEY_MISSING = "Failed", "le-connection-key-missing"
    IN_PROGRESS = "InProgress", "Operation already in progress"
    NOT_READY = "NotReady", "Resource Not Ready"
    AUTHENTICATION = "AuthenticationFailed", "Authentication Failed"
    AUTHENTICATION_CANCELLED = "AuthenticationCanceled", "Authentication Canceled"
    AUTHENTICATION_REJECTED = "AuthenticationRejected", "Authentication Rejected"
    AUTHENTICATION_TIMED_OUT = "AuthenticationTimeout", "Authentication Timeout"
    HANGS = "", "never answered"
    GONE = "", "forgotten"


@dataclass(eq=False)
class Descriptor:
    """A descriptor other than the one that switches notifications, which is made by itself."""

    uuid: str
    value: bytes = b""


@dataclass(eq=False)
class Characteristic:
    """What a client reads, writes, or is notified of.

    Attributes:
        uuid: 128 bits in lower case.
        flags: As BlueZ names them: read, write, write-without-response, notify, indicate.
        value: What a read gives, unless `on_read` is set; a write replaces it.
        on_read: Makes the value. It and `on_write` are called in the bench's thread, may raise BlueZError,
            and must not wait.
        on_write: Is told what was written.
        on_subscribe: Is told whether there is now a subscriber.
        secure: Reading, writing and subscribing need a bond.
        failures: ATT codes or errors that the next operations meet, one each, before anything else.
    """

    uuid: str
    flags: Sequence[str] = ("read",)
    value: bytes = b""
    on_read: Callable[[], bytes] | None = None
    on_write: Callable[[bytes], None] | None = None
    on_subscribe: Callable[[bool], None] | None = None
    secure: bool = False
    descriptors: Sequence[Descriptor] = ()
    failures: deque[int | BlueZError] = field(default_factory=deque)
    subscribed: bool = field(default=False, init=False)


@dataclass(eq=False)
class Service:
    """A primary service."""

    uuid: str
    characteristics: Sequence[Characteristic] = ()


@dataclass(slots=True)
class LinkLedger:
    """What became of the notifications, each under one head.

    The link repeats what is damaged, so that none is lost in the air. `made` is the sum of the others and of
    what still waits.

    Attributes:
        made: Asked for by the firmware.
        unheard: Nobody was connected and subscribed.
        overflowed: Dropped, because the queue was full.
        cut: In the queue when the connection ended.
        sent: Handed to the host's BlueZ.
        unread: Of these, dropped because nobody emptied the socket that AcquireNotify gave.
    """

    made: int = 0
    unheard: int = 0
    overflowed: int = 0
    cut: int = 0
    sent: int = 0
    unread: int = 0


class Queued(NamedTuple):
    """A notification that waits for its turn."""

    characteristic: Characteristic
    value: bytes


class Host(Protocol):
    """The host, as far as a peripheral may act upon it."""

    def run(self, function: Callable[[], T]) -> T:
        """Run something in the bench's thread, and wait for it."""
        ...

    def wake(self, peripheral: Peripheral) -> None:
        """There is something in the queue."""
        ...

    def drop(self, peripheral: Peripheral) -> None:
        """The connection is gone."""
        ...

    def services_changed(self, peripheral: Peripheral) -> None:
        """The peripheral indicates Service Changed."""
        ...


class Peripheral:
    """One device in the air.

    Attributes:
        name, address: What it calls itself. An empty name is not advertised.
        services: What a client finds; see `change_services`.
        rssi: In dBm.
        advertised: UUIDs in its advertisement; by default, those of all services.
        manufacturer: Data by company identifier.
        service_data: Data by service UUID.
        advertising: Whether it can be found, while it is not connected.
        in_reach: Whether it can be connected to; else Connect waits for ever, as it does in BlueZ.
        mtu: Of its connections. 0: BlueZ is older than 5.62 and does not tell, and it is 23.
        capacity: Notifications in its queue, at most.
        interval, per_interval: A connection event every so many seconds, and notifications that it carries;
            0 seconds for as fast as the host takes them.
        connect_seconds, resolve_seconds: How long connecting and finding the services take.
        connect_failures, pair_failures: What the next attempts meet, one each.
        stale: The host goes on showing the services of its cache after they changed.
        bonded: Whether it is paired with the host.
        ledger: What became of the notifications.
        lost: Those that overflowed, were cut or were unread.
        connections: How often it was connected.
    """

    def __init__(
        self,
        name: str = "Band",
        address: str = "C0:FF:EE:00:00:01",
        services: Iterable[Service] = (),
        *,
        rssi: int = -60,
        advertised: Iterable[str] | None = None,
        manufacturer: Mapping[int, bytes] | None = None,
        service_data: Mapping[str, bytes] | None = None,
        mtu: int = 247,
        capacity: int = 64,
        interval: float = 0.0,
        per_interval: int = 6,
        connect_seconds: float = 0.0,
        resolve_seconds: float = 0.0,
        bonded: bool = False,
    ) -> None:
        self.name, self.address, self.services, self.rssi = name, address, tuple(services), rssi
        self.advertised = None if advertised is None else tuple(advertised)
        self.manufacturer, self.service_data = dict(manufacturer or {}), dict(service_data or {})
        self.mtu, self.capacity = mtu, capacity
        self.interval, self.per_interval = interval, per_interval
        self.connect_seconds, self.resolve_seconds = connect_seconds, resolve_seconds
        self.advertising = self.in_reach = True
        self.connect_failures: deque[Failure | BlueZError] = deque()
        self.pair_failures: deque[Failure | BlueZError] = deque()
        self.stale = False
        self.bonded = bonded
        self.connected = False
        self.connections = 0
        self.ledger = LinkLedger()
        self.host: Host | None = None
        self.held_until = 0.0
        self.lost: list[Queued] = []
        self.changed = threading.Condition()
        self._queue: deque[Queued] = deque()

    @property
    def payload(self) -> int:
        """Bytes that a notification holds."""
        return min((self.mtu or 23) - 3, 512)

    @property
    def uuids(self) -> list[str]:
        """UUIDs in the advertisement."""
        return list(self.advertised if self.advertised is not None else [s.uuid for s in self.services])

    def characteristic(self, uuid: str) -> Characteristic:
        """The first characteristic with this UUID."""
        return next(c for s in self.services for c in s.characteristics if c.uuid == uuid)

    def has(self, characteristic: Characteristic) -> bool:
        """Whether it has this characteristic now."""
        return any(c is characteristic for s in self.services for c in s.characteristics)

    @property
    def waiting(self) -> int:
        """Notifications in the queue."""
        return len(self._queue)

    def notify(self, which: str | Characteristic, value: bytes, *, patience: float = 0.0) -> bool:
        """Queue a notification, as firmware does.

        Args:
            which: The characteristic, or its UUID.
            value: At most `payload` bytes.
            patience: Seconds to wait for room in the queue. Not from the bench's thread.

        Returns:
            Whether it was queued.
        """
        characteristic = self.characteristic(which) if isinstance(which, str) else which
        if len(value) > self.payload:
            raise ValueError(f"a notification holds {self.payload} bytes at an MTU of {self.mtu or 23}")
        with self.changed:
            if patience:
                self.changed.wait_for(lambda: len(self._queue) < self.capacity, patience)
            self.ledger.made += 1
            if not (self.connected and characteristic.subscribed):
                self.ledger.unheard += 1
                return False
            if len(self._queue) >= self.capacity:
                self.ledger.overflowed += 1
                self.lost.append(Queued(characteristic, bytes(value)))
                return False
            self._queue.append(Queued(characteristic, bytes(value)))
            first = len(self._queue) == 1
        if first and self.host is not None:
            self.host.wake(self)
        return True

    def take(self) -> Queued | None:
        """The next notification that the link carries; for the host."""
        with self.changed:
            if not self._queue:
                return None
            self.ledger.sent += 1
            self.changed.notify_all()
            return self._queue.popleft()

    def unread(self, queued: Queued) -> None:
        """Take note of a notification that the host's socket had no room for."""
        with self.changed:
            self.ledger.unread += 1
            self.lost.append(queued)

    def linked(self, connected: bool) -> None:
        """Take note of a connection that came or went; for the host."""
        with self.changed:
            self.connected = connected
            self.connections += connected
            self.ledger.cut += len(self._queue)
            self.lost += self._queue
            self._queue.clear()
            self.changed.notify_all()

    def drop(self) -> None:
        """End the connection, as a device does that runs out of reach or of battery."""
        if self.host is not None:
            host = self.host
            host.run(lambda: host.drop(self))

    def hold(self, seconds: float) -> None:
        """Let the link carry nothing for so long, as when it must repeat everything; its queue fills.

        Args:
            seconds: From now on; 0 to let it go on.
        """
        self.held_until = time.monotonic() + seconds

    def change_services(self, services: Iterable[Service], *, indicate: bool = True) -> None:
        """Have other services from now on, as after an update of the firmware.

        Args:
            services: The new ones.
            indicate: Tell a connected host. Else, or if `stale` is set, it goes on with what it knows.
        """
        self.services = tuple(services)
        if self.host is not None and indicate:
            host = self.host
            host.run(lambda: host.services_changed(self))
