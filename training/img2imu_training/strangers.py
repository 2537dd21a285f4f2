"""How often a trained model calls motion "unknown" that is none of what it knows.

`python -m img2imu_training.strangers CHECKPOINT [CORPUS.npz ...]` prints a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from img2imu_edge.card import ModelCard
from img2imu_edge.samples import STANDARD_GRAVITY
from img2imu_edge.spectrogram import SpectrogramPlan
from img2imu_training.calibrate import distances
from img2imu_training.checkpoint import load
from img2imu_training.fit import predict
from img2imu_training.network import Network
from img2imu_training.recordings import read_npz
from img2imu_training.windows import Samples, cut, pictures, window_samples

_WINDOWS = 1000


def rejected(net: Network, card: ModelCard, samples: Samples) -> float:
    """Share of windows (n, samples, channels) at the card's rate that the model calls unknown.

    Raises:
        ValueError: If the model rejects nothing at all.
    """
    if card.decision.novelty is None:
        raise ValueError(f"{card.name} has no threshold for the unknown")
    plan = SpectrogramPlan(card.spectrogram, card.input.rate, len(card.input.channels))
    _, embeddings = predict(net, pictures(samples, plan))
    return float(np.mean(distances(embeddings, card.decision.novelty) > card.decision.novelty.threshold))


def artificial(card: ModelCard, length: int) -> Iterator[tuple[str, Samples]]:
    """Windows that nobody moved in: at rest any side up, white noise, a drill."""
    rng, channels = np.random.default_rng(0), len(card.input.channels)
    up = rng.normal(size=(_WINDOWS, 3))
    still = np.zeros((_WINDOWS, length, channels), np.float32)
    still[..., :3] += (STANDARD_GRAVITY * up / np.linalg.norm(up, axis=1, keepdims=True))[:, None]
    level = np.where(np.arange(channels) < 3, 1.0, 0.1)
    noise = rng.normal(size=still.shape) * level
    yield "at rest, any side up", still + (0.02 * noise).astype(np.float32)
    for size in (0.1, 2.0, 20.0):
        yield f"white noise, {size:g} m/s²", still + (size * noise).astype(np.float32)
    square = np.sign(np.sin(2 * np.pi * 11 * np.arange(length) / card.input.rate))
    yield "a drill: 11 Hz square wave, 10 m/s²", still + (10 * square[:, None] * level).astype(np.float32)


def main(
    checkpoint: Annotated[Path, typer.Argument(help="A .safetensors file from img2imu train or finetune.")],
    corpora: Annotated[
        list[Path] | None, typer.Argument(help="Recordings of other motion, .npz, at the model's rate.")
    ] = None,
) -> None:
    """Say how often a model rejects what it does not know."""
    net, card = load(checkpoint)
    plan = SpectrogramPlan(card.spectrogram, card.input.rate, len(card.input.channels))
    length = window_samples(plan, card.input.columns)
    table = Table("motion", "windows", "unknown", title=f"{card.name}: motion that is none of its classes")
    for name, samples in artificial(card, length):
        table.add_row(name, str(len(samples)), f"{rejected(net, card, samples):.0%}")
    for path in corpora or []:
        corpus = read_npz(path).only(card.input.channels)
        windows = cut(corpus, length, length, agreement=0.0)
        drawn = np.random.default_rng(0).permutation(len(windows))[:_WINDOWS]
        share = rejected(net, card, windows.samples[np.sort(drawn)])
        note = "" if corpus.rate == card.input.rate else f" ({corpus.rate:g} Hz taken as {card.input.rate:g})"
        table.add_row(path.stem + note, str(len(drawn)), f"{share:.0%}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
