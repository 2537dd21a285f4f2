"""Files of a pre-training run: its result, and its state, from which it goes on after an interruption.

Both are safetensors with JSON in the header. Nothing in them is code, so that loading a stranger's file
cannot run any. Both are written under another name and then renamed: what has the name is whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor, nn
from torch.optim import Optimizer

from img2imu_edge.errors import ModelError
from img2imu_edge.strict import StrictError, from_json
from img2imu_training.backbones import Backbone, BackboneName, build_backbone

BACKBONE_KEY = "img2imu.backbone"
STATE_KEY = "img2imu.pretrain.state"
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class BackboneHeader:
    """What is known of a pre-trained backbone.

    Attributes:
        backbone: Its name, for `build_backbone`.
        rows: Rows of the pictures it was trained on.
        columns: Columns of these.
        license: Terms of the weights.
        recipe: The whole recipe.
        provenance: Corpora: kind, name, count, licence.
        probes: Macro-F1 of the probes at their steps.
        versions: Of what made it.
        schema: Version of this header.
    """

    backbone: BackboneName
    rows: int
    columns: int
    license: str
    recipe: dict[str, Any]
    provenance: tuple[dict[str, Any], ...] = ()
    probes: tuple[dict[str, Any], ...] = ()
    versions: dict[str, str] | None = None
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise ValueError(f"schema {self.schema} is not {SCHEMA}; a newer img2imu-edge may read it")


@dataclass(frozen=True, slots=True)
class StateHeader:
    """Where a run is.

    Attributes:
        step: Steps that are done.
        recipe: The whole recipe.
        probes: Results so far.
        scaler: State of the loss scaling, for 16-bit precision.
        schema: Version of this header.
    """

    step: int
    recipe: dict[str, Any]
    probes: tuple[dict[str, Any], ...] = ()
    scaler: dict[str, Any] | None = None
    schema: int = SCHEMA


def save_backbone(path: Path, backbone: Backbone, header: BackboneHeader) -> None:
    """Write a backbone: the result of pre-training, the start of fine-tuning."""
    _write(path, backbone.state_dict(), {BACKBONE_KEY: json.dumps(asdict(header))})


def load_backbone(path: Path) -> tuple[Backbone, BackboneHeader]:
    """Read a backbone, ready for inference, and what is known of it.

    Raises:
        ModelError: If the file is no backbone of ours, is damaged, or its parts do not fit each other.
    """
    text, weights = _read(path, BACKBONE_KEY, "pre-trained backbone")
    try:
        header = from_json(BackboneHeader, json.loads(text))
    except (StrictError, ValueError) as error:
        raise ModelError(f"{path}: its header is damaged or newer than this package: {error}") from error
    backbone = build_backbone(header.backbone)
    _fill(backbone, weights, path)
    return backbone.eval(), header


def save_state(path: Path, objective: nn.Module, optimiser: Optimizer, header: StateHeader) -> None:
    """Write all that a run needs to go on: weights, momentum encoder, queue, optimiser."""
    tensors = {f"objective/{name}": value for name, value in objective.state_dict().items()}
    for index, values in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{index}/{key}": v for key, v in values.items() if isinstance(v, Tensor)}
    _write(path, tensors, {STATE_KEY: json.dumps(asdict(header))})


def load_state(path: Path) -> tuple[StateHeader, dict[str, Tensor]]:
    """Read a run's state: where it is, and the tensors for `restore`.

    Raises:
        ModelError: If the file is no state of a run, or is damaged.
    """
    text, tensors = _read(path, STATE_KEY, "state of a pre-training run")
    try:
        return from_json(StateHeader, json.loads(text)), tensors
    except (StrictError, ValueError) as error:
        raise ModelError(f"{path}: its header is damaged or newer than this package: {error}") from error


def restore(path: Path, tensors: dict[str, Tensor], objective: nn.Module, optimiser: Optimizer) -> None:
    """Put a run's tensors back where they came from.

    Raises:
        ModelError: If they do not fit; names the file.
    """
    _fill(objective, {k.split("/", 1)[1]: v for k, v in tensors.items() if k.startswith("objective/")}, path)
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser/"):
            _, index, key = name.split("/")
            state.setdefault(int(index), {})[key] = value
    groups = optimiser.state_dict()["param_groups"]
    try:
        optimiser.load_state_dict({"state": state, "param_groups": groups})
    except (ValueError, KeyError) as error:
        raise ModelError(f"{path}: the optimiser's state does not fit: {error}") from error


def _write(path: Path, tensors: Mapping[str, Tensor], header: dict[str, str]) -> None:
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(serialise(plain, metadata=header))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _read(path: Path, key: str, what: str) -> tuple[str, dict[str, Tensor]]:
    try:
        with safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} is not a {what} that can be read: {error}") from error
    if key not in header:
        raise ModelError(f"{path} is not a {what}: its header has no {key!r}")
    return str(header[key]), tensors


def _fill(module: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    damaged = [name for name, value in weights.items() if not torch.isfinite(value).all()]
    if damaged:
        raise ModelError(f"{path}: {damaged[0]} is not finite")
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelError(f"{path}: weights and network do not fit: {error}") from error
