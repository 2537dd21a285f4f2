"""Bundle: a model file as a project that a phone's developer opens, and that proves itself when it starts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.card import ModelCard
from img2imu_edge.container import CARD, unpack
from img2imu_edge.decision import DecisionMaker
from img2imu_edge.errors import ModelError
from img2imu_edge.golden import Array, Golden
from img2imu_edge.model import Model, open_model
from img2imu_edge.whole import write_whole

Kind = Literal["android", "ios"]
"""Whose phones a bundle is for."""

KINDS: tuple[Kind, ...] = get_args(Kind)

_ASSETS: dict[Kind, str] = {
    "android": "app/src/main/assets",
    "ios": "Sources/MotionLabel/Resources",
}
_STEPS = 8
"""Windows near a tie: as many as it takes for a running mean to forget what was before."""


_EVENTS = 40
"""Sensor events that the resampling is checked on."""


def bundle(kind: Kind, content: bytes, output: Path) -> tuple[Path, ...]:
    """Write a sample app around a model.

    Args:
        kind: Whose phones it is for.
        content: An exported ONNX file that takes samples, with its card and golden vectors inside.
        output: Directory of the project; files in it of the same names are replaced.

    Returns:
        What was written: the app's source, a README, and the assets `model.onnx`, `card.json`, `golden.json`.

    Raises:
        ModelError: If it is not such a file, or is damaged.
    """
    parts = unpack(content)
    model = open_model(parts, output)
    if parts.kind != "onnx" or model.card.input.form != "samples":
        raise ModelError(
            "the phone's app runs ONNX and feeds it samples, but this is "
            f"{'ONNX' if parts.kind == 'onnx' else 'TFLite'} that takes {model.card.input.form}; "
            "export with: --raw --to onnx-fp32"
        )
    if model.golden is None:
        raise ModelError("it has no golden vectors to prove itself by; export it again")
    vectors = golden_json(model.card, model.golden, hashlib.sha256(content).hexdigest())
    project = {
        **_template(kind),
        f"{_ASSETS[kind]}/model.onnx": content,
        f"{_ASSETS[kind]}/card.json": parts.attachments[CARD],
        f"{_ASSETS[kind]}/golden.json": json.dumps(vectors, separators=(",", ":")).encode(),
    }
    project["README.md"] += _about(model, len(content)).encode()
    paths = {output / name: data for name, data in project.items()}
    for path, data in paths.items():
        write_whole(path, data)
    return tuple(paths)


def bundle_exported(kinds: Sequence[Kind], exported: Sequence[Path], output: Path, name: str) -> list[Path]:
    """Write a sample app around the first ONNX file of an export.

    Args:
        kinds: Whose phones; each gets a folder `NAME-android` or `NAME-ios`.
        exported: The export's files; those that were rejected are passed over.
        output: Directory to write to.
        name: The model's name.

    Returns:
        The folders.

    Raises:
        ModelError: If there is no ONNX file, or as `bundle`.
    """
    found = next((path for path in exported if path.suffix == ".onnx"), None)
    if found is None:
        raise ModelError("the phone's app runs ONNX, and no such file was exported; add: --to onnx-fp32")
    folders = {kind: output / f"{name}-{kind}" for kind in dict.fromkeys(kinds)}
    for kind, folder in folders.items():
        bundle(kind, found.read_bytes(), folder)
    return list(folders.values())


def golden_json(card: ModelCard, golden: Golden, sha256: str) -> dict[str, Any]:
    """What an app must compute, stage by stage, as plain data.

    Args:
        card: The model's card, with its bounds.
        golden: The model's golden vectors.
        sha256: Of the model's file, in hexadecimal.

    Returns:
        `sha256`; `tolerance` of a logit; `windows`: samples, logits and label of the trained network;
        `resampling`: uneven events and the grid that they come to; `decisions`: outputs of the network one
        after the other, and what the decision maker says to each.

    Raises:
        ModelError: If the card has no bounds.
    """
    if card.bounds is None:
        raise ModelError("its card has no bounds to hold it to; export it again")
    windows = [
        {
            "label": card.labels[int(logits.argmax())],
            "logits": _plain(logits),
            "samples": [_plain(row) for row in samples],
        }
        for samples, logits in zip(golden.samples, golden.logits, strict=True)
    ]
    return {
        "sha256": sha256,
        "tolerance": card.bounds.logits,
        "windows": windows,
        "resampling": _resampling(card.input.rate, np.resize(golden.samples[0, :, :3], (_EVENTS, 3))),
        "decisions": list(_decisions(card, golden)),
    }


def _resampling(rate: float, samples: NDArray[np.float32]) -> dict[str, Any]:
    """Uneven events with a short and a long gap, and the grid by `np.interp`, which no app's code shares."""
    longest_gap = 10 / rate
    jitter = 0.3 * np.sin(np.arange(len(samples)) * 2.4)
    times = (np.arange(len(samples)) + jitter) / rate
    times[12:] += 4.2 / rate
    times[27:] += 30.5 / rate
    times = 1000 + np.round(times, 6)
    grid = []
    for run in (slice(0, 27), slice(27, None)):
        at, values = times[run], samples[run]
        count = int((at[-1] - at[0]) * rate) + 1
        points = at[0] + np.arange(count) / rate
        after = np.searchsorted(at, points).clip(1)
        columns = [np.interp(points, at, column) for column in values.T]
        for k, row in enumerate(np.stack(columns, axis=1)):
            real = k == 0 or at[after[k]] - at[after[k] - 1] <= 1.5 / rate
            grid.append(
                {"time": float(points[k]), "values": row.tolist(), "real": bool(real), "restart": k == 0}
            )
    events = [{"time": float(t), "values": _plain(row)} for t, row in zip(times, samples, strict=True)]
    return {"rate": rate, "longest_gap": longest_gap, "events": events, "grid": grid}


def _decisions(card: ModelCard, golden: Golden) -> Iterator[dict[str, Any]]:
    """From one golden window over a near tie to the next, then something alien, then a fresh start."""
    outputs = [output for i in range(len(golden)) for output in _turn(card, golden, i, (i + 1) % len(golden))]
    alien = (golden.logits[0], golden.embeddings[0] + np.float32(100))
    outputs += [alien, outputs[1], outputs[-1]]
    maker = DecisionMaker(card.decision, card.labels)
    for step, (logits, embedding) in enumerate(outputs, start=1):
        reset = step == len(outputs)
        if reset:
            maker.reset()
        made = maker.decide(0.0, 1.0, logits, embedding)
        yield {
            "reset": reset,
            "logits": _plain(logits),
            "embedding": _plain(embedding),
            "label": made.label,
            "confidence": made.confidence,
            "scores": list(made.scores.values()),
            **({} if made.novelty is None else {"novelty": made.novelty}),
        }


def _turn(card: ModelCard, golden: Golden, i: int, j: int) -> list[tuple[Array, Array]]:
    """Outputs of a network that goes from window i to j, and stays for a while where the margin decides.

    There the label of j leads that of i by half the margin.
    """
    here, there = (golden.logits[k] for k in (i, j))
    mine, other = int(here.argmax()), int(there.argmax())
    behind, ahead = here[mine] - here[other], there[other] - there[mine]
    lead = np.float32(card.decision.margin * card.decision.temperature)
    share = np.float32((behind + lead) / max(behind + ahead, np.float32(1e-6)))
    tie = here + share * (there - here)
    before, after = (here, golden.embeddings[i]), (there, golden.embeddings[j])
    return [before] * 2 + [(tie, golden.embeddings[i])] * _STEPS + [after] * 2


def _plain(row: NDArray[np.float32]) -> list[float]:
    """Numbers that JSON writes with as few digits as bring the float32 back."""
    return [float(str(value)) for value in row]


def _template(kind: Kind) -> dict[str, bytes]:
    root = files("img2imu_export") / "phone" / kind
    return dict(_walk(root, ""))


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _walk(entry, f"{name}/")
        else:
            yield name, entry.read_bytes()


def _about(model: Model, size: int) -> str:
    """The README's last section: this model."""
    card = model.card
    assert card.bounds is not None  # noqa: S101 - golden_json has looked
    rows = {
        "Model": card.name,
        "Recognises": card.description,
        "Labels": ", ".join(card.labels),
        "Worn at": card.input.placement,
        "Channels": ", ".join(card.input.channels),
        "Rate": f"{card.input.rate:g} Hz",
        "Window": f"{model.window_samples} samples ({model.window_samples / card.input.rate:g} s)",
        "Decisions": f"every {card.input.hop_columns * model.plan.hop / card.input.rate:g} s",
        "File": f"{size / 1000:.0f} kB, {card.quantisation}",
        "Logits may be off by": f"{card.bounds.logits:g}",
        "Licence of the weights": card.license,
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(["", "## This model", "", "| | |", "| --- | --- |", *lines, ""])
