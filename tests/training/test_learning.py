from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from img2imu_training.calibrate import (
    distances,
    expected_calibration_error,
    fit_classes,
    fit_temperature,
    fit_threshold,
)
from img2imu_training.checkpoint import load, save
from img2imu_training.evaluate import evaluation_windows, macro_f1, train_one
from img2imu_training.fit import predict
from img2imu_training.network import Architecture, RowNet
from img2imu_training.recipe import Recipe
from img2imu_training.whiten import whiten
from img2imu_training.windows import pictures
from safetensors.numpy import save_file

import img2imu_edge as i2e

RNG = np.random.default_rng(0)
SMALL = Architecture(classes=3, rows=16, columns=8, widths=(4, 8), squeeze=4, embedding=6)


def test_the_head_tells_rows_apart() -> None:
    """The same texture two rows higher: global average pooling would say the same of both."""
    torch.manual_seed(0)
    net = RowNet(SMALL).eval()
    picture = torch.zeros(1, 3, 16, 8)
    picture[:, :, 4] = 1
    higher = torch.roll(picture, 2, dims=2)
    later = torch.roll(picture, 2, dims=3)
    with torch.inference_mode():
        assert (net(picture)[0] - net(higher)[0]).abs().max() > 0.01
        torch.testing.assert_close(net(picture)[0], net(later)[0])


def test_the_shipped_network_is_small(weights: Path) -> None:
    net, _ = load(weights)
    assert sum(weight.numel() for weight in net.parameters()) <= 150_000


def test_a_short_training_learns_and_repeats(quick: Recipe) -> None:
    """Sixty steps on three people, judged on a fourth; chance is 1 in 7."""
    everyone = quick.corpus(None)
    few, other = everyone.of(("01", "02", "03")), everyone.of(("04",))
    torch.set_num_threads(1)
    first, second = (train_one(quick, few, 3, lambda step, loss: None) for _ in range(2))
    for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    windows = evaluation_windows(quick, other)
    logits, _ = predict(first, pictures(windows.samples, quick.plan(other.rate)))
    assert macro_f1(windows.labels, logits.argmax(axis=1), 7) > 0.4


def test_temperature_makes_confidence_honest() -> None:
    truth = RNG.normal(size=(4000, 5)) * 2
    probabilities = np.exp(truth) / np.exp(truth).sum(axis=1, keepdims=True)
    labels = np.array([RNG.choice(5, p=p) for p in probabilities])
    overconfident = (3 * truth).astype(np.float32)
    temperature = fit_temperature(overconfident, labels)
    assert temperature == pytest.approx(3.0, rel=0.1)
    before = expected_calibration_error(overconfident, labels, 1.0)
    assert expected_calibration_error(overconfident, labels, temperature) < 0.03 < before


def test_the_threshold_rejects_the_stated_share() -> None:
    known = RNG.normal(size=(5000, 6)).astype(np.float32)
    labels = np.arange(5000) % 3
    classes = fit_classes(known + 5 * np.eye(6)[labels], labels, 3)
    found = distances((known + 5 * np.eye(6)[labels]).astype(np.float32), classes)
    threshold = fit_threshold(found, 0.05)
    assert np.mean(found > threshold) == pytest.approx(0.05, abs=0.002)
    assert distances(np.full((1, 6), 20, np.float32), classes)[0] > threshold


def test_whitening_changes_distances_and_never_the_logits() -> None:
    torch.manual_seed(1)
    net = RowNet(SMALL).eval()
    shown = RNG.random((600, 3, 16, 8)).astype(np.float32)
    labels = np.arange(600) % 3
    before, embeddings = predict(net, shown)
    whiten(net, embeddings, labels)
    after, white = predict(net, shown)
    np.testing.assert_allclose(after, before, atol=1e-4)
    within = white - np.stack([white[labels == k].mean(axis=0) for k in range(3)])[labels]
    covariance = within.T.astype(np.float64) @ within / len(within)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.1
    assert np.diag(covariance).max() < 1.1


def test_a_checkpoint_survives_the_round_trip(weights: Path, tmp_path: Path) -> None:
    net, card = load(weights)
    save(tmp_path / "copy.safetensors", net, card)
    again, same = load(tmp_path / "copy.safetensors")
    assert same == card
    shown = RNG.random((4, 3, net.architecture.rows, net.architecture.columns)).astype(np.float32)
    np.testing.assert_array_equal(predict(net, shown)[0], predict(again, shown)[0])


def test_damaged_and_foreign_checkpoints_are_refused(weights: Path, tmp_path: Path) -> None:
    net, card = load(weights)
    path = tmp_path / "bad.safetensors"
    path.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(i2e.ModelError, match="can be read"):
        load(path)
    save_file({"x": np.zeros(3, np.float32)}, path)
    with pytest.raises(i2e.ModelError, match=r"no 'img2imu\.card'"):
        load(path)
    save(path, net, replace(card, labels=card.labels[:6], decision=replace(card.decision, novelty=None)))
    with pytest.raises(i2e.ModelError, match="do not fit"):
        load(path)
    with torch.no_grad():
        net.classify.bias[0] = float("nan")
    save(path, net, card)
    with pytest.raises(i2e.ModelError, match="not finite"):
        load(path)
