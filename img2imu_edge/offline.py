"""Classify whole recordings: the same numbers as live."""

from __future__ import annotations

from pathlib import Path

from img2imu_edge.decision import Decision
from img2imu_edge.model import Model
from img2imu_edge.recording import Recording, read_recording
from img2imu_edge.session import Session

_BLOCK = 4096


def classify_recording(recording: Recording | str | Path, model: Model) -> list[Decision]:
    """Decisions over a recording, as a live stream of the same samples gives them.

    Args:
        recording: A recording, or the path of a CSV.
        model: From `load_model`.

    Raises:
        RecordingError: If the file cannot be read as a recording.
        SensorMismatchError: If the recording lacks a channel that the model needs.
    """
    if not isinstance(recording, Recording):
        recording = read_recording(recording)
    session = Session(model, recording.rate, recording.channels)
    decisions = [decision for block in recording.blocks(_BLOCK) for decision in session.push(block)]
    return decisions + session.finish()
