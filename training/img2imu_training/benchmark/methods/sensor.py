"""What the methods pre-trained on other people's sensors share: their data, their weights on disk, their use.

A corpus of recordings without its labels is resampled to the task's rate and cut into windows in g. What is
learned from it is kept as safetensors under a name that holds everything it depends on, so that a benchmark
of many tasks and seeds trains it once for each rate. The corpus must not be the task that is measured.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from scipy.signal import resample_poly
from torch import Tensor, nn
from torch.nn import functional

from img2imu_edge.errors import RecordingError
from img2imu_edge.samples import ACCELEROMETER, STANDARD_GRAVITY
from img2imu_training.benchmark.methods import Family
from img2imu_training.benchmark.methods.linear import classify_linearly
from img2imu_training.benchmark.methods.remember import Remembered
from img2imu_training.recordings import read_npz
from img2imu_training.windows import Samples, Windows

Module = TypeVar("Module", bound=nn.Module)


def unlabelled(corpus: Path, rate: float, samples: int) -> Samples:
    """Accelerometer windows of a corpus, at another rate, whatever their labels.

    Args:
        corpus: An `.npz` of recordings (see `read_npz`).
        rate: Hz to resample to.
        samples: Length of a window; each starts half a window after the one before.

    Returns:
        (n, samples, 3) float32 in g.

    Raises:
        RecordingError: If the corpus cannot be read, or no session of it is as long as a window.
    """
    recordings = read_npz(corpus).only(ACCELEROMETER)
    ratio = Fraction(rate / recordings.rate).limit_denominator(100)
    parts = []
    for session in recordings.sessions:
        values = session.values / STANDARD_GRAVITY
        if ratio != 1:
            # Gravity is a step at both ends to a filter that pads with zeros.
            values = resample_poly(values, ratio.numerator, ratio.denominator, axis=0, padtype="line")
        starts = np.arange(0, len(values) - samples + 1, samples // 2)
        parts.append(values[starts[:, None] + np.arange(samples)])
    windows: Samples = np.concatenate(parts).astype(np.float32)
    if not len(windows):
        raise RecordingError(
            f"{corpus} has no session of {samples} samples at {rate} Hz; use a longer corpus"
        )
    return windows


def restored(
    module: Module, cache: Path, about: Mapping[str, object], learn: Callable[[Module], None]
) -> Module:
    """A module with learned weights: read from the cache, or learned now and kept there.

    Args:
        module: Freshly built.
        cache: Folder of weights; made when missing.
        about: All that the weights depend on, as JSON takes it.
        learn: Trains the module in place.

    Returns:
        The same module, for inference.
    """
    described = json.dumps(about, sort_keys=True, default=str)
    name = hashlib.sha256(described.encode()).hexdigest()[:16]
    file = cache / f"{about.get('method', 'weights')}-{name}.safetensors"
    if file.exists():
        module.load_state_dict(load_file(file))
    else:
        learn(module)
        cache.mkdir(parents=True, exist_ok=True)
        # Another process may be at the same; whoever is last replaces the file in one go.
        partial = file.with_suffix(f".{torch.randint(2**62, ()).item():x}")
        save_file(module.state_dict(), partial, {"about": described})
        partial.replace(file)
    return module.eval()


class SensorEncoder(nn.Module, ABC):
    """Windows in g to features; standardises each axis by the pre-training corpus.

    Attributes:
        features: Length of the features.
        last: Parameters that fine-tuning changes; the others stay.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("deviation", torch.ones(3))

    def standardise_by(self, windows: Samples) -> None:
        """Take each axis' mean and deviation from windows (n, samples, 3)."""
        self.mean.copy_(torch.from_numpy(windows.mean(axis=(0, 1))))
        self.deviation.copy_(torch.from_numpy(windows.std(axis=(0, 1))))

    def standardised(self, windows: Tensor) -> Tensor:
        """Windows (n, samples, 3) in g to channels first (n, 3, samples), standardised."""
        return ((windows - self.mean) / self.deviation).transpose(1, 2)

    @abstractmethod
    def last(self) -> list[nn.Parameter]:
        """Parameters that fine-tuning changes."""

    @torch.inference_mode()
    def embed(self, windows: Tensor) -> NDArray[np.float32]:
        """Features (n, features) of windows (n, samples, 3) in g."""
        self.eval()
        return torch.cat(
            [self(windows[start : start + 256]) for start in range(0, len(windows), 256)]
        ).numpy()


class SensorMethod(ABC):
    """A method whose encoder was pre-trained on a corpus of recordings.

    Args:
        corpus: `.npz` to learn from without labels; never the task that is measured.
        cache: Folder for what was learned.
        seed: Of the pre-training.
        tuned: Fine-tune the last layers under a new head, instead of logistic regression on frozen features.
    """

    name: str
    family: Family = "sensor"

    def __init__(self, corpus: Path, cache: Path, seed: int = 0, tuned: bool = False) -> None:
        self.corpus, self.cache, self.seed, self.tuned = corpus, cache, seed, tuned
        self._encoders: dict[float, SensorEncoder] = {}
        self._remembered = Remembered()

    @abstractmethod
    def _encoder(self, rate: float) -> SensorEncoder:
        """The pre-trained encoder for a rate in Hz, from the cache if it is there."""

    def prepare(self, rate: float) -> None:
        """Pre-train for this rate, or read what was learned before."""
        if rate not in self._encoders:
            self._encoders[rate] = self._encoder(rate)

    def predict(
        self, train: Windows, test: Windows, rate: float, classes: int, seed: int
    ) -> NDArray[np.int64]:
        """Classes (m,) of the test windows, from the accelerometer alone; see `Method`."""
        self.prepare(rate)
        encoder = self._encoders[rate]

        def gravities(samples: Samples) -> Tensor:
            return torch.from_numpy(samples[..., :3] / np.float32(STANDARD_GRAVITY))

        if self.tuned:
            seen, unseen = gravities(train.samples), gravities(test.samples)
            return fine_tuned(encoder, seen, train.labels, unseen, classes, seed)
        embedded, others = (
            self._remembered.get(windows.samples, rate, lambda samples: encoder.embed(gravities(samples)))
            for windows in (train, test)
        )
        return classify_linearly(embedded, train.labels, others, 0.1)

    def _digest(self) -> str:
        """What the corpus' bytes are."""
        with self.corpus.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def fine_tuned(
    encoder: SensorEncoder,
    seen: Tensor,
    labels: NDArray[np.int64],
    unseen: Tensor,
    classes: int,
    seed: int,
    steps: int = 200,
) -> NDArray[np.int64]:
    """Train a head of 128 units and the encoder's last layers; classify others; leave the encoder as it was.

    Args:
        encoder: Pre-trained.
        seen: (n, samples, 3) in g.
        labels: (n,) their classes.
        unseen: (m, samples, 3) in g.
        classes: Number of classes.
        seed: Of the head's weights, the batches and dropout.
        steps: Batches of 32.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        before = {name: value.clone() for name, value in encoder.state_dict().items()}
        head = nn.Sequential(
            nn.BatchNorm1d(encoder.features), nn.Linear(encoder.features, 128), nn.ReLU(), nn.Dropout(0.2)
        )
        head.append(nn.Linear(128, classes))
        last = encoder.last()
        encoder.requires_grad_(False)
        for parameter in last:
            parameter.requires_grad_(True)
        parameters = [*head.parameters(), *last]
        optimiser = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.01)
        truth = torch.from_numpy(labels)
        embedded = torch.from_numpy(encoder.embed(seen))
        encoder.train()
        for _ in range(steps):
            drawn = torch.randint(len(seen), (min(32, 2 * len(seen)),))
            features = encoder(seen[drawn]) if last else embedded[drawn]
            loss = functional.cross_entropy(head(features), truth[drawn], label_smoothing=0.05)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        head.eval()
        with torch.inference_mode():
            named: NDArray[np.int64] = head(torch.from_numpy(encoder.embed(unseen))).argmax(dim=1).numpy()
        encoder.load_state_dict(before)
        encoder.requires_grad_(True)
    return named
