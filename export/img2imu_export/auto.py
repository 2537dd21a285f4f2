"""The best file for a device: measured where that device is this machine, by a stated order elsewhere."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from img2imu_edge.errors import MissingExtraError
from img2imu_export.pipeline import Export, Exporter, Tell, take_times
from img2imu_export.targets import find_target, target_names

Device = Literal["x86", "arm64", "phone", "mcu"]
"""`x86`: a PC or server; `arm64`: a Raspberry Pi with a 64-bit system; `phone`: Android or iOS; `mcu`: a
microcontroller."""

PREFERENCE: dict[Device, tuple[str, ...]] = {
    "x86": ("onnx-int8", "tflite-fp32", "onnx-fp32", "tflite-int8", "tflite-dynamic", "onnx-fp16"),
    "arm64": ("tflite-int8", "onnx-int8", "tflite-fp32", "onnx-fp32", "tflite-dynamic", "onnx-fp16"),
    "phone": ("tflite-int8", "tflite-dynamic", "tflite-fp32"),
    "mcu": ("mcu", "tflite-int8-io"),
}
"""What to try, the best first, where nothing can be measured.

x86: ONNX Runtime has int8 kernels for VNNI; without it LiteRT's float kernels are the fastest for small
networks, and its int8 ones are slower than float. arm64: XNNPACK's int8 kernels use the dot-product
instructions, and give the same bits on every core. Phones: LiteRT is on every Android, and int8 is what its
delegates take. Microcontrollers: integers from input to output. float16 is last everywhere: CPUs compute it
by way of float32.
"""

_MACHINES: dict[str, Device] = {"x86_64": "x86", "amd64": "x86", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Choice:
    """What was chosen, and how.

    Attributes:
        device: For what.
        made: All that was tried, chosen or not.
        chosen: The file; None if none is within the bounds.
        measured: Whether the device is this machine, and times decided.
        missing: Targets that could not be tried, and why.
    """

    device: Device
    made: tuple[Export, ...]
    chosen: Export | None
    measured: bool
    missing: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """The choice in words."""
        order = ", ".join(one.name for one in self.made)
        if self.chosen is None:
            return f"nothing for {self.device} is within the limit; tried: {order}"
        if self.measured:
            return (
                f"{self.chosen.name}: the fastest within the limit on this machine ({self.device}); "
                f"tried: {order}"
            )
        return (
            f"{self.chosen.name}: not measured on {self.device}, which this machine is not; "
            f"the first within the limit of: {', '.join(wanted(self.device))}"
        )


def device_names() -> list[str]:
    """Names of devices for `choose`."""
    return list(get_args(Device))


def here() -> Device | None:
    """Which device this machine is, if any."""
    return _MACHINES.get(platform.machine().lower())


def wanted(device: Device) -> list[str]:
    """Targets for a device that there are, the best first."""
    return [name for name in PREFERENCE[device] if name in target_names()]


def choose(exporter: Exporter, device: Device, tell: Tell = lambda what: None) -> Choice:
    """Find the best file for a device.

    Args:
        exporter: Makes the files.
        device: On this machine, everything is made and the fastest within the bounds wins; for another, the
            first within the bounds by `PREFERENCE` does.
        tell: Told what is being done, for people.

    Raises:
        MissingExtraError: If nothing at all can be made.
        ModelError: If the network cannot be converted.
    """
    measured = device == here()
    made: list[Export] = []
    missing: list[tuple[str, str]] = []
    for name in wanted(device):
        try:
            made.append(exporter.make(name, find_target(name)))
        except MissingExtraError as error:
            missing.append((name, str(error)))
            continue
        if not measured and not made[-1].objections:
            break
    if not made and missing:
        raise MissingExtraError(missing[0][1])
    made = take_times(made, tell)
    return Choice(device, tuple(made), pick(made, measured), measured, tuple(missing))


def pick(made: Sequence[Export], measured: bool) -> Export | None:
    """The one to take: of those without objections the fastest, or the first where times say nothing."""
    allowed = [one for one in made if not one.objections]
    if measured:
        allowed = [one for one in allowed if one.comparison]
        return min(
            allowed, key=lambda one: one.comparison.milliseconds if one.comparison else 0, default=None
        )
    return allowed[0] if allowed else None
