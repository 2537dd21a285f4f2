"""The front-end as a network: samples in SI units to the picture, inside the graph.

It multiplies with the same basis as `img2imu_edge.spectrogram` and reads every other number from the same
plan, so that there is one definition. Frames are the steps of a convolution over time, whose kernels are the
basis; axes are its second dimension, which kernels of one axis' width never mix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from img2imu_edge.card import Form
from img2imu_edge.spectrogram import SpectrogramPlan

if TYPE_CHECKING:
    from img2imu_export.targets import Trained


class FrontEnd(nn.Module):
    """Samples to pictures, as `SpectrogramPlan.columns`, `stretch` and `stack` make them.

    Args:
        plan: The spectrogram at the samples' rate, of 3 or 6 axes.
    """

    kernels: Tensor
    floor: Tensor
    gain: Tensor
    offset: Tensor

    def __init__(self, plan: SpectrogramPlan) -> None:
        super().__init__()
        self.hop, self.contrast = plan.hop, plan.spec.contrast
        self.level_rows, self.bins = plan.spec.level_rows, len(plan.frequencies)
        self.register_buffer(
            "kernels", torch.from_numpy(np.ascontiguousarray(plan.basis.T))[:, None, :, None]
        )
        # Never one number by itself: the ONNX exporter takes a single 1e-12 for 0, and drops it.
        several = (self.bins, 1, 1) if self.bins > 1 else (plan.axes,)
        self.register_buffer("floor", torch.full(several, float(plan.floor)))
        # By row alone, which engines broadcast fastest: the three axes of a sensor have the same.
        for name, numbers in (("gain", plan.gain), ("offset", plan.offset)):
            self.register_buffer(name, torch.from_numpy(numbers[::3, :, None, None].copy()))

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (n, samples, axes) in SI units to pictures (n, 3, sensors × rows, columns) in 0 … 1."""
        # (n, kernels, columns, axes): axes last, as TFLite keeps a picture.
        product = nn.functional.conv2d(samples.unsqueeze(1), self.kernels, stride=(self.hop, 1))
        level, cosines, sines = torch.split(product, [self.level_rows, self.bins, self.bins], dim=1)
        cells = torch.log(cosines * cosines + sines * sines + self.floor)
        if self.level_rows:
            cells = torch.cat([level, cells], dim=1)
        # `stack`: the gyroscope's rows follow the accelerometer's; x, y, z are what was the three axes.
        sensors = torch.split(cells, 3, dim=3) if cells.shape[3] > 3 else [cells]
        finish = _stretch if self.contrast == "window" else _clip
        # Finished before they are joined: the arena of a microcontroller is a tenth smaller for it.
        shown = [
            finish(sensor * gain + offset)
            for sensor, gain, offset in zip(sensors, self.gain, self.offset, strict=True)
        ]
        # The TFLite converter cannot join one tensor with nothing.
        picture = torch.cat(shown, dim=1) if len(shown) > 1 else shown[0]
        return picture.permute(0, 3, 1, 2)


def _clip(cells: Tensor) -> Tensor:
    return cells.clamp(0.0, 1.0)


def _stretch(cells: Tensor) -> Tensor:
    """Decibels (n, rows, columns, axes) to 0 … 1 in each window and axis; 0 where nothing varies."""
    low = cells.amin(dim=(1, 2), keepdim=True)
    span = cells.amax(dim=(1, 2), keepdim=True) - low
    return (cells - low) / torch.where(span > 0, span, 1.0)


class FromSamples(nn.Module):
    """A network with its front-end before it.

    Args:
        front: Samples to pictures.
        net: Pictures to logits and embedding.
    """

    def __init__(self, front: FrontEnd, net: nn.Module) -> None:
        super().__init__()
        self.front, self.net = front, net

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Samples (n, samples, axes) to logits (n, classes) and embeddings (n, embedding)."""
        logits, embedding = self.net(self.front(samples))
        return logits, embedding


def front_end(trained: Trained) -> FrontEnd:
    """The front-end that a network's card describes."""
    card = trained.card
    return FrontEnd(SpectrogramPlan(card.spectrogram, card.input.rate, len(card.input.channels)))


def in_form(trained: Trained, form: Form) -> nn.Module:
    """A network that takes what a graph of this form takes."""
    return trained.net if form == "picture" else FromSamples(front_end(trained), trained.net).eval()
