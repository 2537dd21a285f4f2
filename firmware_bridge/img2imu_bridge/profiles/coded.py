"""Profiles in code: what they share with each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from img2imu_bridge.profiles import Advertisement, Decoder, Device
from img2imu_bridge.profiles.table import Recognition
from img2imu_edge.errors import SourceError

ANSWER_S: Final = 5.0
"""Seconds that a device has to answer."""

_MOST_ASIDES: Final = 64


@dataclass(frozen=True, slots=True)
class CodedProfile:
    """A BLE profile whose decoder is a class; see `Profile`.

    Attributes:
        name: What users write.
        title: What people call the device.
        checked: How much of it was ever seen on hardware.
        recognition: How it gives itself away.
        make: Makes a decoder.
    """

    name: str
    title: str
    checked: str
    recognition: Recognition
    make: Callable[[], Decoder]
    carrier: Literal["ble", "serial"] = "ble"

    def recognises(self, advertisement: Advertisement) -> bool:
        """Whether a device that advertises this is one of these."""
        return self.recognition.fits(advertisement)

    def decoder(self) -> Decoder:
        """A decoder for one connection."""
        return self.make()


async def answer_that(
    device: Device, characteristic: str, fits: Callable[[bytes], bool], seconds: float = ANSWER_S
) -> bytes:
    """Wait for an answer, and pass over what else comes on the same characteristic.

    Args:
        device: The device.
        characteristic: Where it answers.
        fits: Tells the answer from the rest.
        seconds: How long each next value may take.

    Raises:
        LinkLostError: If the connection is gone.
        SourceError: If no answer comes.
    """
    for _ in range(_MOST_ASIDES):
        value = await device.answer(characteristic, seconds)
        if fits(value):
            return value
    raise SourceError("the device talks, but does not answer; switch it off and on")
