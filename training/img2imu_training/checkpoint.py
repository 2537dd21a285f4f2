"""One file for a trained network: weights as safetensors, card and architecture as JSON in its header.

Nothing in it is code, so that loading a stranger's file cannot run any.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise

from img2imu_edge.card import ModelCard
from img2imu_edge.container import CARD
from img2imu_edge.errors import ModelError
from img2imu_edge.strict import StrictError, from_json
from img2imu_training.network import Architecture, Network

ARCHITECTURE_KEY = "img2imu.architecture"
"""Where the architecture lies in the header; the card is at `CARD`."""


def save(path: str | Path, net: Network, card: ModelCard) -> None:
    """Write a network and its card."""
    header = {CARD: card.to_json(), ARCHITECTURE_KEY: json.dumps(asdict(net.architecture))}
    weights = {name: value.detach().contiguous() for name, value in net.state_dict().items()}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(serialise(weights, metadata=header))


def load(path: str | Path) -> tuple[Network, ModelCard]:
    """Read a network, ready for inference, and its card.

    Raises:
        ModelError: If the file is no checkpoint of ours, or its parts do not fit each other.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} is not a checkpoint that can be read: {error}") from error
    lacking = [key for key in (CARD, ARCHITECTURE_KEY) if key not in header]
    if lacking:
        raise ModelError(f"{path} is not a checkpoint of img2imu: its header has no {lacking[0]!r}")
    card = ModelCard.from_json(header[CARD])
    try:
        architecture = from_json(Architecture, json.loads(header[ARCHITECTURE_KEY]))
        net = Network(architecture)
        net.load_state_dict(weights)
    except (StrictError, ValueError, RuntimeError, TypeError) as error:
        raise ModelError(f"{path}: weights and architecture do not fit: {error}") from error
    if architecture.classes != len(card.labels) or architecture.columns != card.input.columns:
        raise ModelError(f"{path}: card and architecture do not fit each other")
    if not all(torch.isfinite(value).all() for value in weights.values()):
        raise ModelError(f"{path}: weights are not finite")
    return net.eval(), card
