"""Bases: backbones to start from, by name or by file."""

from __future__ import annotations

from pathlib import Path
from typing import cast, get_args

import torch

from img2imu_edge.errors import ModelError
from img2imu_training.backbones import Backbone, BackboneName, build_backbone
from img2imu_training.pretrain.checkpoint import load_backbone

UNTRAINED = "untrained:"
"""Before the name of a backbone: fresh weights, to compare with."""

_SHIPPED = Path(__file__).parent / "weights"


def shipped_bases() -> list[str]:
    """Names of the pre-trained backbones that come with the package."""
    return sorted(path.stem for path in _SHIPPED.glob("*.safetensors"))


def load_base(name: str, seed: int = 0) -> Backbone:
    """A backbone to start from.

    Args:
        name: A shipped base such as `tiny`, a file from `img2imu pretrain`, or `untrained:tiny`.
        seed: Of fresh weights.

    Raises:
        ModelError: If there is no such base, or its file is damaged.
    """
    if name.startswith(UNTRAINED):
        wanted = name.removeprefix(UNTRAINED)
        if wanted not in get_args(BackboneName):
            raise ModelError(
                f"no backbone is called {wanted!r}; there are: {', '.join(get_args(BackboneName))}"
            )
        torch.manual_seed(seed)
        return build_backbone(cast(BackboneName, wanted)).eval()
    path = Path(name) if name.endswith(".safetensors") else _SHIPPED / f"{name}.safetensors"
    if not path.is_file():
        raise ModelError(
            f"there is no base {name}; give a file from img2imu pretrain, or one of: "
            f"{', '.join(shipped_bases())}"
        )
    backbone, _ = load_backbone(path)
    return backbone
