"""SimCLR for motion: two views of a window, each varied at random, must look alike to a small encoder.

Tang, Perez-Pozuelo, Spathis and Mascolo, "Exploring contrastive learning in human activity recognition for
healthcare", 2020, arXiv 2011.11542. The encoder is that of Saeed, Ozcelebi and Lukkien ("Multi-task
self-supervised learning for human activity detection", 2019): convolutions of 32, 64 and 96 filters of 24, 16
and 8 samples, and the maximum over time. Projection 256, 128, 50; cross entropy at a temperature of 0.1.

The paper takes 200 epochs of SGD in batches of 512 on eight-second windows; here it is 500 steps of Adam in
batches of 256 on shorter ones, three minutes on one core.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from img2imu_training.augment import rotate, rotations
from img2imu_training.benchmark.methods.sensor import SensorEncoder, SensorMethod, restored, unlabelled
from img2imu_training.windows import Samples


@dataclass(frozen=True, slots=True)
class SimclrOptions:
    """How to pre-train.

    Attributes:
        seconds: Length of a pre-training window, at least 46 samples. The encoder sees a second
            at a time, and its maximum over time takes windows of any length, so that one encoder serves all.
        steps: Batches in all.
        batch: Windows in one; each is seen twice.
        rate: Highest learning rate of Adam; it falls to 0 along a cosine.
        temperature: Of the loss.
        turn: Turn each view by a random rotation, uniform in axis and angle. The paper found this best for
            phones in pockets. It teaches that all axes are alike; on wrists, where the axis often is the
            answer, it cost 13 points of macro-F1 (shoulder exercises, 10 windows a class), so it is off.
        noise: Standard deviation of white noise in g.
        scale: Standard deviation of a factor on each axis.
    """

    seconds: float = 2.56
    steps: int = 500
    batch: int = 256
    rate: float = 1e-3
    temperature: float = 0.1
    turn: bool = False
    noise: float = 0.05
    scale: float = 0.1


class ConvolutionalEncoder(SensorEncoder):
    """Windows (n, samples, 3) in g, of 46 samples or more, to features (n, 96)."""

    def __init__(self) -> None:
        super().__init__(features=96)
        layers: list[nn.Module] = []
        for inputs, outputs, kernel in ((3, 32, 24), (32, 64, 16), (64, 96, 8)):
            layers += [nn.Conv1d(inputs, outputs, kernel), nn.ReLU(), nn.Dropout(0.1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, windows: Tensor) -> Tensor:
        """Features (n, 96): the maximum over time of the last layer."""
        features: Tensor = self.layers(self.standardised(windows)).amax(dim=2)
        return features

    def last(self) -> list[nn.Parameter]:
        """The last convolution, as in the paper's fine-tuning."""
        return list(self.layers[6].parameters())


class SimclrHar(SensorMethod):
    """SimCLR-HAR: contrastive pre-training on a corpus of recordings.

    Args:
        corpus: `.npz` to learn from without labels; never the task that is measured.
        cache: Folder for what was learned.
        options: How to pre-train.
        seed: Of the pre-training.
        tuned: Fine-tune the last convolution under a new head, instead of logistic regression.
    """

    def __init__(
        self,
        corpus: Path,
        cache: Path,
        options: SimclrOptions | None = None,
        seed: int = 0,
        tuned: bool = False,
    ) -> None:
        super().__init__(corpus, cache, seed, tuned)
        self.options = options or SimclrOptions()
        self.name = "SimCLR-HAR, " + ("fine-tuned" if tuned else "frozen + logistic regression")

    def _encoder(self, rate: float) -> SensorEncoder:
        about = {
            "method": "simclr_har",
            "corpus": self._digest(),
            "rate": rate,
            "seed": self.seed,
            "options": dataclasses.asdict(self.options),
        }

        def learn(encoder: ConvolutionalEncoder) -> None:
            windows = unlabelled(self.corpus, rate, round(self.options.seconds * rate))
            pretrain(encoder, windows, self.options, self.seed)

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return restored(ConvolutionalEncoder(), self.cache, about, learn)


def pretrain(
    encoder: ConvolutionalEncoder, windows: Samples, options: SimclrOptions, seed: int
) -> list[float]:
    """Train an encoder on unlabelled windows (n, samples, 3) in g.

    Returns:
        The loss of every step.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    encoder.standardise_by(windows)
    projection = nn.Sequential(
        nn.Linear(96, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 50)
    )
    parameters = [*encoder.parameters(), *projection.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=options.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, options.steps)
    encoder.train()
    losses = []
    for _ in range(options.steps):
        drawn = windows[rng.integers(0, len(windows), options.batch)]
        views = np.concatenate([view(drawn, options, rng) for _ in range(2)])
        loss = alike(projection(encoder(torch.from_numpy(views))), options.temperature)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def view(windows: Samples, options: SimclrOptions, rng: np.random.Generator) -> Samples:
    """Windows (n, samples, 3), each varied at random."""
    n = len(windows)
    if options.scale:
        windows = windows * rng.normal(1, options.scale, (n, 1, 3)).astype(np.float32)
    if options.noise:
        windows = windows + rng.normal(0, options.noise, windows.shape).astype(np.float32)
    if options.turn:
        axes = rng.standard_normal((n, 3))
        axes /= np.linalg.norm(axes, axis=1, keepdims=True)
        windows = rotate(windows, rotations(axes, rng.uniform(-np.pi, np.pi, n)))
    return windows


def alike(projected: Tensor, temperature: float) -> Tensor:
    """Normalised-temperature cross entropy (Chen et al., SimCLR, 2020, eq. 1).

    Args:
        projected: (2 n, features): first views of n windows, then their second views in the same order.
        temperature: Divides the cosines.

    Returns:
        Mean over all views of -log of the share that the other view of the same window has among all others.
    """
    unit = functional.normalize(projected, dim=1)
    cosines = unit @ unit.T / temperature
    cosines = cosines.masked_fill(torch.eye(len(cosines), dtype=torch.bool), -torch.inf)
    partner = torch.arange(len(cosines)).roll(len(cosines) // 2)
    return functional.cross_entropy(cosines, partner)
