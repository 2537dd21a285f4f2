"""Devices that speak our wire protocol once they were made to: the seam between profiles and transports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from img2imu_bridge.profiles import Profile, Wishes
from img2imu_bridge.transport import Transport

if TYPE_CHECKING:
    from img2imu_bridge.ble.peripheral import Peripheral


@runtime_checkable
class WireProfile(Profile, Protocol):
    """A kind of BLE device that our wire protocol can be had from; it has a transport where others decode."""

    def transport(self, peripheral: Peripheral, wishes: Wishes) -> Transport:
        """A transport, not yet opened, that makes the device ready when it is.

        Raises:
            SourceError: If a wish cannot be met; the message says what can.
        """
        ...
