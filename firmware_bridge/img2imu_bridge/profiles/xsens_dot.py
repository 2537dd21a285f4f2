"""Movella (Xsens) DOT: calibrated acceleration and angular rate, one sample a packet.

Measuring mode 20, "rate quantities with magnetometer": time in µs, acceleration in m/s², angular rate in °/s,
all floats, then the magnetic field in fixed point, which is not used. Zeros may follow.

Facts: Movella DOT BLE Services Specification, tables 7, 13, 15 and 17; the characteristics also in
xsens/xsens_dot_server, bleHandler.js.
"""

from __future__ import annotations

import struct
from typing import Final

from img2imu_bridge.profiles import Device, Packet, PacketError, Stream, Wishes
from img2imu_bridge.profiles.coded import CodedProfile
from img2imu_bridge.profiles.numbers import scaled
from img2imu_bridge.profiles.table import UNITS, Recognition
from img2imu_bridge.profiles.template import nearest
from img2imu_edge.errors import SourceError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE

SETTINGS: Final = "15171002-4947-11e9-8646-d663bd873d93"
"""What it keeps: 32 bytes, the output rate at byte 24."""
CONTROL: Final = "15172001-4947-11e9-8646-d663bd873d93"
"""Where measuring is started."""
DATA: Final = "15172003-4947-11e9-8646-d663bd873d93"
"""Where packets of medium length come."""

RATES: Final = (1.0, 4.0, 10.0, 12.0, 15.0, 20.0, 30.0, 60.0)
"""Hz."""

_MODE: Final = 20
_SAMPLE: Final = struct.Struct("<I6f6x")
_WORTH: Final = (1.0,) * 3 + (UNITS["deg/s"],) * 3
_LONGEST: Final = 40
_SETTINGS_SIZE, _RATE_AT = 32, 24
_CHANGES_RATE: Final = 1 << 4


class DotDecoder:
    """See `Decoder`."""

    def __init__(self) -> None:
        self._channels: tuple[str, ...] = ()

    async def start(self, device: Device, wishes: Wishes) -> tuple[Stream, ...]:
        """Set the rate if another one is wanted, which the device then keeps; start measuring."""
        settings = await device.read(SETTINGS)
        if len(settings) != _SETTINGS_SIZE:
            raise SourceError(
                f"its settings have {len(settings)} bytes; update its firmware with Movella's app"
            )
        rate = float(int.from_bytes(settings[_RATE_AT : _RATE_AT + 2], "little"))
        wanted = nearest(wishes.rate or (rate if rate in RATES else RATES[-1]), RATES)
        if wanted != rate:
            told = bytearray(settings)
            told[0] = _CHANGES_RATE
            told[_RATE_AT : _RATE_AT + 2] = round(wanted).to_bytes(2, "little")
            await device.write(SETTINGS, bytes(told))
        await device.subscribe(DATA)
        await device.write(CONTROL, bytes((1, 1, _MODE)))
        self._channels = ACCELEROMETER + (GYROSCOPE if wishes.gyroscope else ())
        return (Stream("imu", self._channels, wanted, tick_bits=32, ticks_per_second=1e6),)

    def decode(self, characteristic: str, value: bytes) -> list[Packet]:
        """Understand a packet."""
        if characteristic != DATA or not self._channels:
            return []
        if not _SAMPLE.size <= len(value) <= _LONGEST:
            raise PacketError(f"{len(value)} bytes are no packet of mode {_MODE}")
        ticks, *numbers = _SAMPLE.unpack_from(value)
        return [Packet("imu", scaled(numbers, _WORTH)[:, : len(self._channels)], None, ticks)]

    async def stop(self, device: Device) -> None:
        """Stop measuring."""
        await device.write(CONTROL, bytes((1, 0, _MODE)))


PROFILE: Final = CodedProfile(
    name="xsens_dot",
    title="Movella DOT, Xsens DOT",
    checked="from the maker's specification and example server; not seen on hardware",
    recognition=Recognition(names=("Movella DOT", "Xsens DOT"), companies=(0x0886,)),
    make=DotDecoder,
)
