from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from img2imu_training.backbones import BackboneName, build_backbone
from img2imu_training.bases import load_base
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
from img2imu_training.head import features, fit_head, principal_axes
from img2imu_training.metric import Metric, fit_metric
from img2imu_training.network import Architecture, Network, Statistics
from img2imu_training.recipe import Recipe
from img2imu_training.tune import TuneOptions
from img2imu_training.whiten import whiten
from img2imu_training.windows import pictures
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression

import img2imu_edge as i2e

RNG = np.random.default_rng(0)
SMALL = Architecture("tiny", classes=3, sensors=1, rows=32, levels=8, columns=16, embedding=8)


def test_the_head_tells_rows_apart() -> None:
    """The same texture four rows higher: global average pooling would say the same of both."""
    torch.manual_seed(0)
    net = Network(SMALL).eval()
    picture = torch.zeros(1, 3, 32, 16)
    picture[:, :, 10] = 1
    higher = torch.roll(picture, 4, dims=2)
    with torch.inference_mode():
        assert (net(picture)[0] - net(higher)[0]).abs().max() > 0.01


def test_statistics_are_those_of_numpy() -> None:
    shown = RNG.random((5, 3, 64, 35)).astype(np.float32)
    made = Statistics(sensors=2, rows=32, levels=8, columns=35)(torch.from_numpy(shown)).numpy()
    centred = shown - shown.mean(axis=3, keepdims=True)
    ramp = np.linspace(-1, 1, 35) / 35
    levels = np.concatenate([centred[:, :, :8], centred[:, :, 32:40]], axis=2)
    expected = [shown.mean(3), np.abs(centred).mean(3), shown.max(3), shown.min(3)]
    flat = [part.reshape(5, -1) for part in expected]
    slopes = (levels @ ramp).reshape(5, 3, 2, 8).transpose(0, 2, 1, 3).reshape(5, -1)
    np.testing.assert_allclose(made, np.concatenate([*flat, slopes], axis=1), atol=1e-5)


def test_sitting_down_is_not_standing_up() -> None:
    """A picture backwards in time has the same powers; the slope of the level rows tells them apart."""
    shown = torch.from_numpy(RNG.random((1, 3, 32, 35)).astype(np.float32))
    statistics = Statistics(sensors=1, rows=32, levels=8, columns=35)
    there, back = statistics(shown), statistics(shown.flip(3))
    torch.testing.assert_close(there[:, :-24], back[:, :-24])
    torch.testing.assert_close(there[:, -24:], -back[:, -24:])


@pytest.mark.parametrize(
    ("name", "most"), [("tiny", 150_000), ("small", 1_500_000), ("resnet18", 12_000_000)]
)
def test_backbones_keep_to_their_size(name: BackboneName, most: int) -> None:
    backbone = build_backbone(name)
    assert 0.5 * most < sum(weight.numel() for weight in backbone.parameters()) <= most
    with torch.inference_mode():
        features = backbone.eval()(torch.rand(1, 3, 64, 35))
    assert features.shape == (1, backbone.channels, backbone.rows(64), 5)


def test_distance_in_the_metric_is_mahalanobis() -> None:
    """Pairs that differ much along one axis and little along another: both differences become one."""
    stretch = np.array([[4.0, 0.0, 0.0], [1.0, 0.5, 0.0], [0.0, 0.0, 0.1]])
    where = RNG.normal(size=(20_000, 3)) * 5
    first, second = ((where + RNG.normal(size=where.shape) @ stretch).astype(np.float32) for _ in range(2))
    metric = fit_metric(first, second, shrinkage=1e-6)
    difference = (metric.apply(first) - metric.apply(second)) / np.sqrt(2)
    np.testing.assert_allclose(difference.T @ difference / len(difference), np.eye(3), atol=0.03)


def test_the_closed_form_is_the_regression_it_was_fitted_as() -> None:
    """What was scaled, moved, turned and shortened outside the network comes out of it the same."""
    torch.manual_seed(0)
    net = Network(SMALL).eval()
    shown = RNG.random((120, 3, 32, 16)).astype(np.float32)
    labels = np.arange(120) % 3
    shown[labels == 1, :, 5] += 0.5
    seen = features(net, shown)
    metric = fit_metric(seen[:60], seen[60:], shrinkage=0.1)
    fit_head(net, metric, seen, labels, metric.apply(seen), inverse_penalty=0.01)
    logits, embedding = predict(net, shown)
    moved = metric.apply(seen)
    moved = (moved - moved.mean(axis=0)) / moved.std()
    axes = principal_axes(moved, 6)
    np.testing.assert_allclose(embedding[:, :6], moved @ axes, atol=1e-3)
    regression = LogisticRegression(C=0.01, max_iter=300, class_weight="balanced").fit(moved @ axes, labels)
    np.testing.assert_allclose(logits, regression.decision_function(moved @ axes), atol=1e-3)
    assert set(logits[labels == 1].argmax(axis=1)) == {1}


def test_classes_that_are_hard_to_part_take_their_time() -> None:
    """Many classes of few windows took more than 300 steps, and ended in scikit-learn's own warning."""
    net = Network(replace(SMALL, classes=5)).eval()
    rng, width = np.random.default_rng(0), net.project.in_features
    seen = rng.normal(size=(40, width)) * np.pad(np.geomspace(1, 1e-2, 6), (0, width - 6))
    metric = Metric(np.zeros(width), np.eye(width))
    seen = seen.astype(np.float32)
    fit_head(net, metric, seen, np.arange(40) % 5, seen[:0], inverse_penalty=1e6)
    assert torch.isfinite(net.classify.weight).all()


def test_two_classes_have_two_scores() -> None:
    torch.manual_seed(0)
    net = Network(replace(SMALL, classes=2)).eval()
    shown = RNG.random((40, 3, 32, 16)).astype(np.float32)
    labels = np.arange(40) % 2
    shown[labels == 1, :, 5] += 0.5
    seen = features(net, shown)
    metric = fit_metric(seen[:20], seen[20:], 0.1)
    fit_head(net, metric, seen, labels, metric.apply(seen), inverse_penalty=0.1)
    logits, _ = predict(net, shown)
    np.testing.assert_array_equal(logits.argmax(axis=1), labels)


def test_a_short_training_learns_and_repeats(quick: Recipe) -> None:
    """Three people, judged on a fourth; chance is 1 in 7."""
    everyone = quick.corpus(None)
    few, other = everyone.of(("01", "02", "03")), everyone.of(("04",))
    torch.set_num_threads(1)
    learner = quick.learner(few.rate)
    windows = evaluation_windows(quick, few)
    first, second = (train_one(learner, windows, 7, 3, lambda step, loss: None)[0] for _ in range(2))
    for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    judged = evaluation_windows(quick, other)
    logits, _ = predict(first, pictures(judged.samples, learner.plan))
    assert macro_f1(judged.labels, logits.argmax(axis=1), 7) > 0.6


def test_gradient_descent_starts_from_the_closed_form_and_keeps_the_best(quick: Recipe) -> None:
    torch.set_num_threads(1)
    everyone = quick.corpus(None)
    tuned = replace(
        quick, fit=replace(quick.fit, tune=TuneOptions(steps=20, batch=16, check_every=10, rate=1e-4))
    )
    learner = tuned.learner(everyone.rate)
    few = evaluation_windows(tuned, everyone.of(("01", "02")))
    other = evaluation_windows(tuned, everyone.of(("04",)))
    net, course = learner.fit(few, 7, 0, validation=other)
    assert course.checks == [0, 10, 20]
    assert course.chosen == course.checks[int(np.argmin(course.losses))]
    logits, _ = predict(net, pictures(other.samples, learner.plan))
    scaled = torch.nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(other.labels))
    assert float(scaled) == pytest.approx(min(course.losses), rel=1e-4)
    assert max(course.losses) < 3 * course.losses[0] + 1, "it does not undo the closed form"


def test_a_class_without_windows_is_named(quick: Recipe) -> None:
    corpus = quick.corpus(None)
    windows = evaluation_windows(quick, corpus.of(("01",)))
    with pytest.raises(ValueError, match="class 2 has no window"):
        quick.learner(corpus.rate).fit(windows.take(windows.labels != 2), 7, 0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "there is no base nothing"),
        ("untrained:huge", "no backbone is called 'huge'"),
        ("a.safetensors", "no base"),
    ],
)
def test_a_base_that_is_not_there_is_named(name: str, message: str) -> None:
    with pytest.raises(i2e.ModelError, match=message):
        load_base(name)


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
    net = Network(SMALL).eval()
    shown = RNG.random((600, 3, 32, 16)).astype(np.float32)
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
    shown = RNG.random(
        (4, 3, net.architecture.sensors * net.architecture.rows, net.architecture.columns)
    ).astype(np.float32)
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


def test_without_strangers_the_scores_are_the_same() -> None:
    torch.manual_seed(0)
    net = Network(SMALL).eval()
    shown = RNG.random((60, 3, 32, 16)).astype(np.float32)
    seen, labels = features(net, shown), np.arange(60) % 3
    metric = fit_metric(seen[:30], seen[30:], 0.1)
    made = []
    for strangers in (metric.apply(seen), metric.apply(seen)[:0]):
        fit_head(net, metric, seen, labels, strangers, inverse_penalty=0.01)
        made.append(predict(net, shown))
    np.testing.assert_array_equal(made[0][0], made[1][0])
    assert np.abs(made[0][1][:, 6:]).max() > 0
    assert np.abs(made[1][1][:, 6:]).max() == 0
