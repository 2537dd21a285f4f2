"""Model files changed on purpose, by somebody who knows how they are made."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import img2imu_edge as i2e
from img2imu_edge.container import CARD, GOLDEN, Container, pack, unpack
from img2imu_edge.model import digests

MODELS = Path(i2e.__file__).parent / "models"

Reseal = Callable[..., Container]


@pytest.fixture(scope="session", params=["shoulder.onnx", "shoulder.tflite"])
def shipped(request: pytest.FixtureRequest) -> Path:
    """Each kind of genuine file."""
    return MODELS / str(request.param)


@pytest.fixture(scope="session")
def parts(shipped: Path) -> Container:
    return unpack(shipped.read_bytes())


@pytest.fixture(scope="session")
def reseal() -> Reseal:
    """Change parts of a file and make card and hashes fit again, as a forger would."""

    def change(
        parts: Container,
        *,
        graph: bytes | None = None,
        golden: bytes | None = None,
        card: Callable[[dict[str, Any]], None] = lambda card: None,
    ) -> Container:
        told = json.loads(parts.attachments[CARD])
        attachments = dict(parts.attachments) if golden is None else {**parts.attachments, GOLDEN: golden}
        changed = replace(parts, graph=parts.graph if graph is None else graph, attachments=attachments)
        told["sha256"] = digests(changed)
        card(told)
        text = json.dumps(told).encode("utf-8")
        return replace(changed, attachments={**attachments, CARD: text})

    return change


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Container], Path]:
    """A file of such parts."""

    def write(parts: Container) -> Path:
        path = tmp_path / f"changed.{parts.kind}"
        path.write_bytes(pack(parts))
        return path

    return write
