"""Objectives: modules that turn two batches of views into a loss, distributed or not."""

from __future__ import annotations

from img2imu_training.pretrain.objectives.moco import Moco, MocoOptions
from img2imu_training.pretrain.objectives.options import ObjectiveOptions
from img2imu_training.pretrain.objectives.parts import Encoder
from img2imu_training.pretrain.objectives.simclr import Simclr, SimclrOptions
from img2imu_training.pretrain.objectives.vicreg import Vicreg, VicregOptions

__all__ = [
    "Encoder",
    "Moco",
    "MocoOptions",
    "ObjectiveOptions",
    "Simclr",
    "SimclrOptions",
    "Vicreg",
    "VicregOptions",
]
