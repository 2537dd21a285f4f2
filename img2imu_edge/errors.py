"""Errors that users meet. Every message says what is wrong and what to do next."""

from __future__ import annotations


class Img2ImuError(Exception):
    """Base of every error this package raises on purpose; the CLI prints it without a traceback."""


class RecordingError(Img2ImuError):
    """A recording cannot be read as it stands: missing columns, times that run backwards, no samples."""


class ModelError(Img2ImuError):
    """A file is not a model of ours, or its model card is incomplete, damaged or newer than this package."""


class SensorMismatchError(Img2ImuError):
    """The device does not deliver what the model was trained on: a channel is missing."""


class SourceError(Img2ImuError):
    """A device cannot be reached or does not speak the protocol."""


class OutputError(Img2ImuError):
    """An output cannot be written or opened: a port in use, a broker that refuses, a URL it does not know."""


class MissingExtraError(Img2ImuError):
    """An optional part is not installed; the message names the `pip install` that brings it."""


class TrainingError(Img2ImuError):
    """A training run cannot start or go on: options that do not fit each other, a loss that is not finite."""


class DownloadError(Img2ImuError):
    """A file cannot be had from the network, or is not the one meant; the message says what to do."""


class BenchmarkError(Img2ImuError):
    """A benchmark cannot run or be told: no such task or method, no split, results that are not results."""
