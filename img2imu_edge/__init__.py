"""img2imu-edge: turn a wearable's motion into decisions, on the device.

Example:
    >>> import img2imu_edge as i2e
    >>> model = i2e.load_model("shoulder")
    >>> decisions = i2e.classify_recording(i2e.demo_recording(), model)
"""

from typing import TYPE_CHECKING, Any

from img2imu_edge.card import ModelCard
from img2imu_edge.decision import Decision
from img2imu_edge.errors import (
    Img2ImuError,
    MissingExtraError,
    ModelError,
    RecordingError,
    SensorMismatchError,
    SourceError,
)
from img2imu_edge.model import Model, load_model, shipped_models
from img2imu_edge.offline import classify_recording
from img2imu_edge.recording import Recording, demo_recording, read_recording
from img2imu_edge.runner import Wearable, classify, classify_all
from img2imu_edge.samples import SampleBlock
from img2imu_edge.session import Session
from img2imu_edge.source import LinkStats, Source, StreamInfo, open_source
from img2imu_edge.spec import SensorRange, SpectrogramSpec
from img2imu_edge.spectrogram import StreamingSpectrogram, spectrogram

if TYPE_CHECKING:
    from img2imu_edge.batch import FileResult, classify_files

__all__ = [
    "Decision",
    "FileResult",
    "Img2ImuError",
    "LinkStats",
    "MissingExtraError",
    "Model",
    "ModelCard",
    "ModelError",
    "Recording",
    "RecordingError",
    "SampleBlock",
    "SensorMismatchError",
    "SensorRange",
    "Session",
    "Source",
    "SourceError",
    "SpectrogramSpec",
    "StreamInfo",
    "StreamingSpectrogram",
    "Wearable",
    "classify",
    "classify_all",
    "classify_files",
    "classify_recording",
    "demo_recording",
    "load_model",
    "open_source",
    "read_recording",
    "shipped_models",
    "spectrogram",
]


def __getattr__(name: str) -> Any:
    """What works on whole archives comes with its first use: it needs more of the standard library."""
    if name in ("FileResult", "classify_files"):
        from img2imu_edge import batch

        return getattr(batch, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
