"""`lsl:Name`: the Lab Streaming Layer, to record decisions beside EEG, video and the like on one clock.

See https://labstreaminglayer.readthedocs.io. Each source is two streams: its labels as markers, and the
scores of all classes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, unquote

from img2imu_edge.errors import MissingExtraError, OutputError
from img2imu_edge.extras import extra
from img2imu_edge.options import options_of
from img2imu_edge.sinks.messages import Decided, Message

# Where liblsl looks for what its user has set; what we set would take the place of all of it.
_SETTINGS: Final = (
    "lsl_api.cfg", "~/lsl_api/lsl_api.cfg", "/etc/lsl_api/lsl_api.cfg", os.environ.get("LSLAPICFG", "")
)  # fmt: skip
_QUIET: Final = "[log]\nlevel=-2\n"  # errors, and not what it does all the time, into our picture


@dataclass(frozen=True, slots=True)
class LslOptions:
    """Options of `lsl:`: there are none."""


def open_lsl(url: SplitResult, labels: Sequence[str]) -> LslSink:
    """The sink behind an `lsl:` URL.

    Raises:
        MissingExtraError: If pylsl or liblsl is not installed.
        OutputError: If the URL is wrong.
    """
    try:
        with extra("lsl", "lsl:"):
            import pylsl  # noqa: F401
    except (RuntimeError, OSError) as error:  # a wheel for this computer would bring it; this one has none
        raise MissingExtraError(
            "lsl: needs liblsl, which pylsl does not bring for this computer; get it from "
            "https://github.com/sccn/liblsl/releases, or with: conda install -c conda-forge liblsl"
        ) from error
    options_of(url, LslOptions, OutputError)
    return LslSink(unquote(url.netloc + url.path).strip("/") or "img2imu", labels)


class LslSink:
    """Offers the streams `Name SOURCE labels` and `Name SOURCE scores`; see `Sink`.

    A sample's time is when the last sample of its window arrived, on the clock of LSL.

    Args:
        name: How the names of its streams begin.
        labels: The model's classes: the channels of the scores.
    """

    def __init__(self, name: str, labels: Sequence[str]) -> None:
        self.url, self.warnings = f"lsl:{name}", list[str]()
        self._name, self._labels = name, tuple(labels)
        self._streams: dict[str, tuple[Any, Any]] = {}
        self._open = False

    def start(self) -> None:
        """See to LSL's settings. A source's streams begin with its first decision."""
        import pylsl

        if not any(path and Path(path).expanduser().exists() for path in _SETTINGS):
            pylsl.set_config_content(_QUIET)
        self._open = True
        self.warnings.append("LSL knows no password: everyone in the network can read along")

    def take(self, message: Message) -> None:
        """Push a label, and the scores where the network was asked."""
        if not self._open or not isinstance(message, Decided):
            return
        import pylsl

        if message.source not in self._streams:
            self._streams[message.source] = self._labels_of(message.source), self._scores_of(message.source)
        markers, scores = self._streams[message.source]
        decision = message.decision
        # It may have waited for its turn since it was made.
        made = pylsl.local_clock() - (time.time() - message.at)
        arrived = made - (decision.latency_ms or 0.0) / 1e3
        markers.push_sample([decision.label or "none"], arrived)
        if scores and decision.scores:
            scores.push_sample([decision.scores[label] for label in self._labels], arrived)

    def close(self) -> int:
        """Withdraw the streams."""
        self._open = False
        self._streams.clear()
        return 0

    def _labels_of(self, source: str) -> Any:
        import pylsl

        name = f"{self._name} {source} labels"
        return self._outlet(source, pylsl.StreamInfo(name, "Markers", 1, 0.0, "string", f"img2imu {name}"))

    def _scores_of(self, source: str) -> Any:
        import pylsl

        if not self._labels:
            return None
        name, count = f"{self._name} {source} scores", len(self._labels)
        info = pylsl.StreamInfo(name, "Scores", count, 0.0, "float32", f"img2imu {name}")
        info.set_channel_labels(list(self._labels))
        info.set_channel_units(["probability"] * count)
        return self._outlet(source, info)

    def _outlet(self, source: str, info: Any) -> Any:
        import pylsl

        about = info.desc()
        about.append_child_value("manufacturer", "img2imu-edge")
        about.append_child_value("source", source)
        return pylsl.StreamOutlet(info)
