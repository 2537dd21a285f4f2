"""What the app pushes: JSON with readings of many sensors, of which the motion is kept."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, NoReturn

WRIST: Final = "wristmotion"
ACCELERATION, GRAVITY, ROTATION, TOTAL = "accelerometer", "gravity", "gyroscope", "totalacceleration"

_XYZ: Final = ("x", "y", "z")
FIELDS: Final = {
    WRIST: tuple(f"{kind}{axis}" for kind in ("acceleration", "gravity", "rotationRate") for axis in "XYZ"),
    ACCELERATION: _XYZ,
    GRAVITY: _XYZ,
    ROTATION: _XYZ,
    TOTAL: _XYZ,
}
"""The sensors that are kept, their names without blanks in lower case, and the fields of each."""

MOST_READINGS: Final = 10_000
"""In one message: half a minute of all motion sensors at 100 Hz."""

_LATEST: Final = 1 << 63
_LARGEST: Final = 1e6


class MessageError(ValueError):
    """A message that is not what the app sends; the text may be told to the sender."""


class Reading(NamedTuple):
    """One reading of one sensor.

    Attributes:
        sensor: A key of `FIELDS`.
        time: Nanoseconds since 1970, by the phone's clock.
        values: In the order of `FIELDS`.
    """

    sensor: str
    time: int
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """What came with one push.

    Attributes:
        device: Which phone.
        session: Which of its recordings.
        number: Counts the messages of a session.
        readings: Of the sensors that are kept, by time.
        malformed: How many of them could not be read.
    """

    device: str
    session: str
    number: int
    readings: tuple[Reading, ...]
    malformed: int = 0


def read_message(body: bytes) -> Message | None:
    """Read a message.

    Returns:
        The message; None for JSON without a payload, as a test of the connection sends it.

    Raises:
        MessageError: If it is no JSON, or another one.
    """
    try:
        data = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"not JSON: {error}") from None
    if not isinstance(data, dict):
        raise MessageError("not a message of Sensor Logger: an object is expected")
    payload = data.get("payload")
    if payload is None:
        return None
    number = data.get("messageId")
    if not isinstance(payload, list) or not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise MessageError("not a message of Sensor Logger: messageId, sessionId, deviceId, payload expected")
    if len(payload) > MOST_READINGS:
        raise MessageError(f"more than {MOST_READINGS} readings at once; make the batch period shorter")
    readings, malformed = [], 0
    for entry in payload:
        sensor = re.sub("[^a-z]", "", str(entry.get("name", "")).lower()) if isinstance(entry, dict) else ""
        if sensor in FIELDS:
            reading = _reading(sensor, entry)
            malformed += reading is None
            readings += [reading] if reading else []
    readings.sort(key=lambda reading: reading.time)
    names = str(data.get("deviceId", ""))[:100], str(data.get("sessionId", ""))[:100]
    return Message(*names, number, tuple(readings), malformed)


def _reading(sensor: str, entry: dict[str, Any]) -> Reading | None:
    fields = entry.get("values", entry)
    time = entry.get("time")
    if isinstance(time, str) and len(time) < 20 and time.isdecimal():
        time = int(time)
    if not isinstance(fields, dict) or not isinstance(time, int) or not 0 < time < _LATEST:
        return None
    values = [fields.get(name) for name in FIELDS[sensor]]
    numbers = tuple(float(v) for v in values if isinstance(v, int | float) and abs(v) < _LARGEST)
    return Reading(sensor, time, numbers) if len(numbers) == len(values) else None


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
