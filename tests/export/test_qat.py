"""Fine-tuning for integers, on a genuine network and the genuine int8 file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("seglearn")

from img2imu_export.evidence import Evidence  # noqa: E402
from img2imu_export.pipeline import shown  # noqa: E402
from img2imu_export.qat import WEIGHT_LIMITS, adapt, rounding  # noqa: E402
from img2imu_export.smooth import smooth  # noqa: E402
from img2imu_export.targets import Options, Trained, find_target  # noqa: E402
from img2imu_training.fit import predict  # noqa: E402

STEPS = 24
LIMIT = WEIGHT_LIMITS["onnx-int8"]


@pytest.fixture(scope="module")
def pictures(trained: Trained, evidence: Evidence) -> np.ndarray:
    """Of people kept out: every tenth window."""
    return shown(trained.card, evidence.samples[::10], Options())


def int8(trained: Trained, pictures: np.ndarray) -> np.ndarray:
    target = find_target("onnx-int8")
    engine = target.engine(target.convert(trained, Options()).graph)
    assert engine is not None
    return np.stack([engine.run(picture).logits for picture in pictures])


def test_the_file_comes_closer_to_the_network_on_people_outside(
    trained: Trained, pictures: np.ndarray
) -> None:
    """And the copy that is fine-tuned rounds as the file does, or its fine-tuning would be for nothing."""
    exact, _ = predict(trained.net, pictures)
    before = int8(trained, pictures) - exact
    with torch.no_grad():
        copied = rounding(trained.net, trained.pictures, LIMIT)(torch.from_numpy(pictures))[0].numpy() - exact
    assert np.corrcoef(copied.ravel(), before.ravel())[0, 1] > 0.8
    other = rounding(trained.net, trained.pictures, WEIGHT_LIMITS["mcu"])(torch.from_numpy(pictures))[0]
    assert np.abs(other.detach().numpy() - exact).mean() < np.abs(copied).mean()

    losses: list[float] = []
    adapted = adapt(trained.net, trained.pictures, STEPS, LIMIT, progress=lambda _, loss: losses.append(loss))
    assert len(losses) == STEPS
    after = int8(replace(trained, net=adapted), pictures) - exact
    assert np.abs(after).mean() < 0.9 * np.abs(before).mean()


def test_without_steps_it_is_the_network_and_with_a_seed_always_the_same(
    trained: Trained, pictures: np.ndarray
) -> None:
    weights = {name: value.clone() for name, value in trained.net.state_dict().items()}
    same = adapt(trained.net, trained.pictures, 0, LIMIT)
    for found, expected in zip(predict(same, pictures), predict(trained.net, pictures), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-4)
    first, second, other = (adapt(trained.net, trained.pictures, 2, LIMIT, seed) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(weights[name], value) for name, value in trained.net.state_dict().items())


def test_what_was_adapted_to_its_gain_keeps_it(trained: Trained) -> None:
    adapted = adapt(trained.net, trained.pictures, 1, LIMIT)
    again = smooth(adapted, trained.pictures[:40])
    assert all(torch.equal(a, b) for a, b in zip(adapted.parameters(), again.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(adapted.buffers(), again.buffers(), strict=True))
