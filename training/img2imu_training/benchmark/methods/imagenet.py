"""A network that learned ImageNet with labels, on the pictures of motion.

Frozen features under logistic regression, from the same pictures as ours. By default its middle stages are
taken with their rows kept and averaged over time: an honest contestant, for with 10 windows a class this is
worth 30 points of macro-F1 more than what is usual, the global average of the last layer, and on shoulder
exercises 18 more than fine-tuning.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from img2imu_edge.spec import SpectrogramSpec
from img2imu_edge.spectrogram import SpectrogramPlan
from img2imu_training.benchmark.methods import Family
from img2imu_training.benchmark.methods.efficientnet import EfficientNetLite0, pretrained
from img2imu_training.benchmark.methods.linear import classify_linearly
from img2imu_training.benchmark.methods.remember import Remembered
from img2imu_training.windows import Samples, Windows, pictures

Use = Literal["rows", "global", "tuned"]

SIZE = 96
"""Rows and columns that pictures are scaled to."""

_NAMES: dict[Use, str] = {
    "rows": "ImageNet EfficientNet-Lite0, frozen rows + logistic regression",
    "global": "ImageNet EfficientNet-Lite0, frozen global average + logistic regression",
    "tuned": "ImageNet EfficientNet-Lite0, fine-tuned",
}
_ROW_STAGES = (2, 3, 4, 5)


class ImageNet:
    """EfficientNet-Lite0 from ImageNet, frozen or fine-tuned.

    Args:
        spec: The picture; its frame must fit into the windows.
        use: `rows` averages stages 2 to 5 over time and keeps their rows; `global` averages the last layer
            over the whole picture; `tuned` trains all of the network under a new head on that average, which
            takes a minute and more.
    """

    family: Family = "images"

    def __init__(self, spec: SpectrogramSpec, use: Use = "rows") -> None:
        self.spec, self.use = spec, use
        self.name = _NAMES[use]
        self._net: EfficientNetLite0 | None = None
        self._remembered = Remembered()

    def prepare(self, rate: float) -> None:
        """Load the weights.

        Raises:
            MissingExtraError: If the package with the weights is not installed.
            ModelError: If its file is not the known one.
        """
        self._loaded()

    def predict(
        self, train: Windows, test: Windows, rate: float, classes: int, seed: int
    ) -> NDArray[np.int64]:
        """Classes (m,) of the test windows; see `Method`. Only fine-tuning draws random numbers."""
        if self.use == "tuned":
            return self._fine_tuned(train, test, rate, classes, seed)
        seen, unseen = (
            self._remembered.get(windows.samples, rate, lambda samples: self._features(samples, rate))
            for windows in (train, test)
        )
        return classify_linearly(seen, train.labels, unseen, 0.01)

    def _loaded(self) -> EfficientNetLite0:
        if self._net is None:
            self._net = pretrained()
        return self._net

    def _pictures(self, samples: Samples, rate: float) -> Tensor:
        return torch.from_numpy(pictures(samples, SpectrogramPlan(self.spec, rate, samples.shape[2])))

    @torch.inference_mode()
    def _features(self, samples: Samples, rate: float) -> NDArray[np.float32]:
        net = self._loaded()
        parts = []
        for shown in batches(self._pictures(samples, rate)):
            if self.use == "global":
                parts.append(net.stages(as_photograph(shown))[-1].mean(dim=(2, 3)))
            else:
                maps = net.stages(as_photograph(shown), last=max(_ROW_STAGES))
                rows = [maps[stage - 1].mean(dim=3).flatten(1) for stage in _ROW_STAGES]
                parts.append(torch.cat(rows, dim=1))
        return torch.cat(parts).numpy()

    def _fine_tuned(
        self, train: Windows, test: Windows, rate: float, classes: int, seed: int, steps: int = 60
    ) -> NDArray[np.int64]:
        """Train the network and a head; statistics of batch normalisation stay as ImageNet left them."""
        shown, truth = self._pictures(train.samples, rate), torch.from_numpy(train.labels)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = copy.deepcopy(self._loaded())
            net._fc = nn.Linear(net._fc.in_features, classes)
            body = [value for name, value in net.named_parameters() if not name.startswith("_fc")]
            groups = [{"params": body, "lr": 3e-4}, {"params": net._fc.parameters(), "lr": 3e-3}]
            optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
            for _ in range(steps):
                drawn = torch.randint(len(shown), (32,))
                logits = net(as_photograph(shown[drawn]))
                loss = functional.cross_entropy(logits, truth[drawn], label_smoothing=0.05)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                schedule.step()
            with torch.inference_mode():
                parts = [net(as_photograph(part)) for part in batches(self._pictures(test.samples, rate))]
                named: NDArray[np.int64] = torch.cat(parts).argmax(dim=1).numpy()
        return named


def as_photograph(shown: Tensor) -> Tensor:
    """Pictures (n, 3, rows, columns) from 0 to 1, as the network saw photographs: (n, 3, 96, 96).

    Bilinear, and (value − 127) / 128 of 8-bit values: EfficientNet-Lite's own scaling, under which its
    weights name 64 of 100 small photographs right, and 52 under ImageNet's usual mean and deviation.
    """
    scaled = functional.interpolate(shown, (SIZE, SIZE), mode="bilinear", align_corners=False)
    return (scaled * 255 - 127) / 128


def batches(shown: Tensor, size: int = 64) -> Iterator[Tensor]:
    """Parts of so many pictures: all at once would take gigabytes."""
    for start in range(0, len(shown), size):
        yield shown[start : start + size]
