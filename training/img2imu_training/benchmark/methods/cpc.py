"""Contrastive predictive coding for motion: from the motion so far, tell what comes next from what does not.

Haresamudram, Essa and Ploetz, "Contrastive predictive coding for human activity recognition", IMWUT 2021,
arXiv 2012.05333: three convolutions (32, 64, 128 filters of 3 samples), two layers of 256 gated recurrent
units, one linear predictor for each future step, InfoNCE against the other windows of the batch.

Two things differ, to fit windows of five seconds and one core: the first convolution takes every other sample
(strides are the authors' own later improvement, "Investigating enhancements to contrastive predictive coding
for human activity recognition", PerCom 2023, arXiv 2211.06173), and pre-training windows last two seconds, so
that they still have the paper's 50 steps at 50 Hz. The paper takes 150 epochs; here it is 700 steps of 64
windows, three minutes on one core.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from img2imu_training.benchmark.methods.sensor import SensorEncoder, SensorMethod, restored, unlabelled
from img2imu_training.windows import Samples


@dataclass(frozen=True, slots=True)
class CpcOptions:
    """How to pre-train.

    Attributes:
        seconds: Length of a pre-training window.
        steps: Batches in all.
        batch: Windows in one; each is the others' negative.
        rate: Highest learning rate of Adam; it falls to 0 along a cosine.
        horizon: Future steps to predict, as a share of a window's.
    """

    seconds: float = 2.0
    steps: int = 700
    batch: int = 64
    rate: float = 1e-3
    horizon: float = 0.5


class RecurrentEncoder(SensorEncoder):
    """Windows (n, samples, 3) in g to features (n, 512): mean and last of the contexts."""

    def __init__(self) -> None:
        super().__init__(features=512)
        layers: list[nn.Module] = []
        for inputs, outputs, stride in ((3, 32, 2), (32, 64, 1), (64, 128, 1)):
            layers.append(nn.Conv1d(inputs, outputs, 3, stride, padding=1, padding_mode="reflect"))
            layers += [nn.ReLU(), nn.Dropout(0.2)]
        self.layers = nn.Sequential(*layers)
        self.recurrent = nn.GRU(128, 256, num_layers=2, dropout=0.2, batch_first=True)

    def codes(self, windows: Tensor) -> Tensor:
        """What the convolutions make of each step: (n, steps, 128)."""
        codes: Tensor = self.layers(self.standardised(windows)).transpose(1, 2)
        return codes

    def contexts(self, codes: Tensor) -> Tensor:
        """What the recurrent layers know after each step: (n, steps, 256)."""
        contexts: Tensor = self.recurrent(codes)[0]
        return contexts

    def forward(self, windows: Tensor) -> Tensor:
        """Features (n, 512)."""
        contexts = self.contexts(self.codes(windows))
        return torch.cat([contexts.mean(dim=1), contexts[:, -1]], dim=1)

    def last(self) -> list[nn.Parameter]:
        """None: the paper's classifier is trained on frozen contexts."""
        return []


class CpcHar(SensorMethod):
    """CPC-HAR: a recurrent encoder that learned to predict.

    Args:
        corpus: `.npz` to learn from without labels; never the task that is measured.
        cache: Folder for what was learned.
        options: How to pre-train.
        seed: Of the pre-training.
        tuned: The paper's classifier, a small network on the frozen features, instead of logistic regression.
    """

    def __init__(
        self,
        corpus: Path,
        cache: Path,
        options: CpcOptions | None = None,
        seed: int = 0,
        tuned: bool = False,
    ) -> None:
        super().__init__(corpus, cache, seed, tuned)
        self.options = options or CpcOptions()
        self.name = "CPC-HAR, frozen + " + ("small network" if tuned else "logistic regression")

    def _encoder(self, rate: float) -> SensorEncoder:
        about = {
            "method": "cpc_har",
            "corpus": self._digest(),
            "rate": rate,
            "seed": self.seed,
            "options": dataclasses.asdict(self.options),
        }

        def learn(encoder: RecurrentEncoder) -> None:
            windows = unlabelled(self.corpus, rate, round(self.options.seconds * rate))
            pretrain(encoder, windows, self.options, self.seed)

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return restored(RecurrentEncoder(), self.cache, about, learn)


def pretrain(encoder: RecurrentEncoder, windows: Samples, options: CpcOptions, seed: int) -> list[float]:
    """Train an encoder on unlabelled windows (n, samples, 3) in g.

    Returns:
        The loss of every step.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    encoder.standardise_by(windows)
    length = (windows.shape[1] + 1) // 2
    ahead = max(1, int(length * options.horizon))
    predictors = nn.Linear(256, ahead * 128)
    parameters = [*encoder.parameters(), *predictors.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=options.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, options.steps)
    encoder.train()
    losses = []
    for _ in range(options.steps):
        drawn = windows[rng.integers(0, len(windows), options.batch)]
        codes = encoder.codes(torch.from_numpy(drawn))
        now = int(rng.integers(1, length - ahead + 1))
        context = encoder.contexts(codes[:, :now])[:, -1]
        predicted = predictors(context).reshape(len(drawn), ahead, 128)
        loss = told_apart(predicted, codes[:, now : now + ahead])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def told_apart(predicted: Tensor, came: Tensor) -> Tensor:
    """InfoNCE (van den Oord, Li and Vinyals, 2018, eq. 4) over windows of a batch, mean over future steps.

    Args:
        predicted: (n, steps, features): what each window was expected to become.
        came: (n, steps, features): what it became.
    """
    scores = torch.einsum("ikf,jkf->kij", predicted, came)
    truth = torch.arange(len(predicted)).expand(len(scores), -1)
    return functional.cross_entropy(scores.flatten(0, 1), truth.flatten())
