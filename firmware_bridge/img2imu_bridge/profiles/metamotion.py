"""MbientLab MetaMotion and MetaWear boards with a Bosch BMI160 or BMI270.

Commands and answers are a module, a register, and data; a register is read by setting its highest bit. Which
chip a module has is told by its register 0, and decides the numbers of the other registers. Samples come
three in a packet, from each sensor on its own, without time or number.

Facts: mbientlab/MetaWear-SDK-Cpp, src/metawear/sensor/cpp/{accelerometer,gyro}_bosch.cpp, *_register.h, and
the packets in its tests.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from img2imu_bridge.profiles import Device, Packet, PacketError, Stream, Wishes
from img2imu_bridge.profiles.coded import CodedProfile, answer_that
from img2imu_bridge.profiles.numbers import scaled
from img2imu_bridge.profiles.table import UNITS, Recognition
from img2imu_bridge.profiles.template import nearest
from img2imu_edge.errors import SourceError
from img2imu_edge.samples import ACCELEROMETER, GYROSCOPE

COMMAND: Final = "326a9001-85cb-9195-d9dd-464cfbbae75a"
"""Where commands are written."""
NOTIFY: Final = "326a9006-85cb-9195-d9dd-464cfbbae75a"
"""Where answers and samples come."""

RATES: Final = {25.0: 6, 50.0: 7, 100.0: 8, 200.0: 9}
"""Sampling rates in Hz that both sensors have, with the codes of the chips' data sheets."""

_ACC, _GYRO = 0x03, 0x13
_READ: Final = 0x80
_POWER, _ENABLE, _CONFIG = 1, 2, 3
_DEFAULT_RATE: Final = 50.0
_SAMPLES: Final = 3
_PACKET: Final = struct.Struct(f"<2x{3 * _SAMPLES}h")


@dataclass(frozen=True, slots=True)
class _Chip:
    """What differs between the chips.

    Attributes:
        packed: The register whose packets hold three samples.
        filter: Bits beside the rate: normal filtering, at full performance.
        range: The code of ±8 g or ±2000 °/s.
        revision: The module's least revision that packs samples.
    """

    packed: int
    filter: int
    range: int
    revision: int


@dataclass(frozen=True, slots=True)
class _Module:
    """A sensor of the board."""

    number: int
    name: str
    channels: tuple[str, ...]
    worth: float
    chips: dict[int, _Chip]


_MODULES: Final = (
    _Module(
        _ACC, "acc", ACCELEROMETER, UNITS["g"] / 4096,
        {1: _Chip(0x1C, 0x20, 0x08, 1), 4: _Chip(0x05, 0xA0, 0x02, 0)},
    ),
    _Module(
        _GYRO, "gyr", GYROSCOPE, UNITS["deg/s"] / 16.4,
        {0: _Chip(0x07, 0x20, 0x00, 1), 1: _Chip(0x05, 0x20, 0x00, 0)},
    ),
)  # fmt: skip


class MetaMotionDecoder:
    """See `Decoder`."""

    def __init__(self) -> None:
        self._going: dict[tuple[int, int], _Module] = {}

    async def start(self, device: Device, wishes: Wishes) -> tuple[Stream, ...]:
        """Learn which chips there are, set them up, and have them stream."""
        rate = nearest(wishes.rate or _DEFAULT_RATE, list(RATES))
        await device.subscribe(NOTIFY)
        for module in _MODULES if wishes.gyroscope else _MODULES[:1]:
            chip = await _chip(device, module)
            if chip is None:
                continue
            config = bytes((module.number, _CONFIG, chip.filter | RATES[rate], chip.range))
            await device.write(COMMAND, config)
            await device.write(COMMAND, bytes((module.number, chip.packed, 1)))
            await device.write(COMMAND, bytes((module.number, _ENABLE, 1, 0)))
            self._going[module.number, chip.packed] = module
        for module in self._going.values():  # together, for they have no common clock
            await device.write(COMMAND, bytes((module.number, _POWER, 1)))
        return tuple(Stream(module.name, module.channels, rate) for module in self._going.values())

    def decode(self, characteristic: str, value: bytes) -> list[Packet]:
        """Understand a packet."""
        module = self._going.get((value[0], value[1])) if len(value) >= 2 else None
        if characteristic != NOTIFY or module is None:
            return []
        if len(value) != _PACKET.size:
            raise PacketError(f"{len(value)} bytes are not {_SAMPLES} samples")
        return [Packet(module.name, scaled(_PACKET.unpack(value), (module.worth,) * 3))]

    async def stop(self, device: Device) -> None:
        """Undo what was done."""
        for number, packed in self._going:
            await device.write(COMMAND, bytes((number, _POWER, 0)))
            await device.write(COMMAND, bytes((number, _ENABLE, 0, 1)))
            await device.write(COMMAND, bytes((number, packed, 0)))


async def _chip(device: Device, module: _Module) -> _Chip | None:
    """The chip of a module; None for a board without gyroscope."""
    wanted = bytes((module.number, _READ))
    await device.write(COMMAND, wanted)
    told = await answer_that(device, NOTIFY, lambda value: value[:2] == wanted)
    if len(told) < 4:
        if module.number == _GYRO:
            return None
        raise SourceError("this board has no accelerometer")
    kind, revision = told[2], told[3]
    chip = module.chips.get(kind)
    if chip is None:
        raise SourceError(f"its {module.name} chip, of kind {kind}, is neither a BMI160 nor a BMI270")
    if revision < chip.revision:
        raise SourceError("its firmware does not pack samples; update it with MbientLab's app")
    return chip


PROFILE: Final = CodedProfile(
    name="metamotion",
    title="MbientLab MetaMotion, MetaWear",
    checked="from the maker's SDK, against packets in its tests; not seen on hardware",
    recognition=Recognition(
        names=("MetaWear", "MetaMotion*"), services=("326a9000-85cb-9195-d9dd-464cfbbae75a",)
    ),
    make=MetaMotionDecoder,
)
