"""Variations of pictures, by name, on whole batches and on the device they are on.

Every view is a module on (n, 3, rows, columns) float in 0 … 1 that draws its parameters per picture from
torch's global generator. `Views` applies a recipe's list of them twice.
"""

from __future__ import annotations

from img2imu_training.pretrain.views.axes import AxisFlip, AxisMix, AxisPermute, Hue
from img2imu_training.pretrain.views.frequency import FrequencyMask, FrequencyWarp
from img2imu_training.pretrain.views.images import (
    ColourJitter,
    GaussianBlur,
    Greyscale,
    HorizontalFlip,
    RandomResizedCrop,
)
from img2imu_training.pretrain.views.layout import Layout
from img2imu_training.pretrain.views.level import AmplitudeShift, Jitter
from img2imu_training.pretrain.views.pipeline import GRADED, WHOLE, ViewOptions, Views
from img2imu_training.pretrain.views.resample import resize
from img2imu_training.pretrain.views.time import PermuteX, TimeMask, TranslateX

__all__ = [
    "GRADED",
    "WHOLE",
    "AmplitudeShift",
    "AxisFlip",
    "AxisMix",
    "AxisPermute",
    "ColourJitter",
    "FrequencyMask",
    "FrequencyWarp",
    "GaussianBlur",
    "Greyscale",
    "HorizontalFlip",
    "Hue",
    "Jitter",
    "Layout",
    "PermuteX",
    "RandomResizedCrop",
    "TimeMask",
    "TranslateX",
    "ViewOptions",
    "Views",
    "resize",
]
