"""PyTorch on one thread: the same front-end as a convolution, the same network as it was trained."""

from __future__ import annotations

from typing import Any

import torch
from img2imu_export.frontend import FromSamples, FrontEnd
from img2imu_training.checkpoint import load

from benchmarks.alternatives.files import CHECKPOINT
from benchmarks.alternatives.ways import Answer, Array, Way
from benchmarks.alternatives.windowed import Rolling
from img2imu_edge.spectrogram import SpectrogramPlan


def eager() -> Way:
    """Modules called one after the other."""
    return _way(frozen=False)


def frozen() -> Way:
    """Traced to TorchScript, frozen and optimised for inference."""
    return _way(frozen=True)


def _way(frozen: bool) -> Way:
    torch.set_num_threads(1)
    net, card = load(CHECKPOINT)
    plan = SpectrogramPlan(card.spectrogram, card.input.rate, len(card.input.channels))
    samples = (card.input.columns - 1) * plan.hop + plan.frame
    module: Any = FromSamples(FrontEnd(plan), net).eval()
    if frozen:
        trace: Any = torch.jit.trace  # it has no types
        with torch.inference_mode():
            traced = trace(module, torch.zeros(1, samples, plan.axes))
            module = torch.jit.optimize_for_inference(torch.jit.freeze(traced))

    def look(window: Array) -> Answer:
        with torch.inference_mode():
            logits = module(torch.from_numpy(window)[None])[0][0].numpy()
        return Answer(card.labels[int(logits.argmax())], logits)

    return Rolling(look, samples)
