"""The contestants that start from other people's sensors or from ImageNet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from img2imu_training.benchmark.methods import cpc, simclr_har
from img2imu_training.benchmark.methods.cpc import CpcHar, CpcOptions
from img2imu_training.benchmark.methods.efficientnet import pretrained
from img2imu_training.benchmark.methods.imagenet import ImageNet, Use, as_photograph
from img2imu_training.benchmark.methods.remember import Remembered
from img2imu_training.benchmark.methods.sensor import SensorEncoder, SensorMethod, fine_tuned, unlabelled
from img2imu_training.benchmark.methods.simclr_har import SimclrHar, SimclrOptions
from img2imu_training.recordings import Corpus
from img2imu_training.windows import Windows, cut

from img2imu_edge.errors import RecordingError
from img2imu_edge.samples import ACCELEROMETER, STANDARD_GRAVITY
from img2imu_edge.spec import SpectrogramSpec

RATE = 50.0
SIMCLR = SimclrOptions(seconds=1.6, steps=20, batch=32)
CPC = CpcOptions(seconds=1.0, steps=20, batch=32)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus as those of unlabelled motion: four people who step at their own pace, twelve seconds each."""
    rng = np.random.default_rng(0)
    time = np.arange(600) / RATE
    parts = []
    for pace in (0.8, 1.2, 1.7, 2.2):
        wave = np.stack([np.sin(2 * np.pi * pace * time + phase) for phase in rng.uniform(0, 6, 3)], axis=1)
        parts.append(3 * wave + [0, 0, STANDARD_GRAVITY] + rng.normal(0, 0.3, wave.shape))
    people = np.repeat(np.arange(4), 600)
    file = tmp_path_factory.mktemp("corpus") / "steps.npz"
    np.savez(
        file,
        acc=np.round(np.concatenate(parts) * 1000).astype(np.int16),
        acc_scale=0.001,
        fs=RATE,
        label=np.full(2400, -1, np.int16),
        classes=np.array(["walk"]),
        subject=people,
        subjects=np.array(list("abcd")),
        session=people,
        sessions=np.array(list("abcd")),
    )
    return file


@pytest.fixture(scope="module")
def few(corpus: Corpus) -> tuple[Windows, Windows]:
    """Six windows each of three exercises of five people, and windows of five others."""
    windows = cut(corpus.only(ACCELEROMETER), 252, 126)
    windows = windows.take(windows.labels < 3)
    rng = np.random.default_rng(0)
    known, others = windows.of(corpus.subjects[::2]), windows.of(corpus.subjects[1::2])
    drawn = [rng.permutation(np.flatnonzero(known.labels == label))[:6] for label in range(3)]
    return known.take(np.concatenate(drawn)), others.take(rng.permutation(len(others))[:60])


@pytest.mark.parametrize("rate", [30.0, 50.0, 100.0])
def test_unlabelled_windows_keep_pace_and_gravity_at_any_rate(other: Path, rate: float) -> None:
    windows = unlabelled(other, rate, round(4 * rate))
    assert windows.shape == (4 * 5, round(4 * rate), 3)
    np.testing.assert_allclose(windows.mean(axis=(0, 1)), [0, 0, 1], atol=0.05)
    spectra = np.abs(np.fft.rfft(windows[:, :, 0] - windows[:, :, 0].mean(axis=1, keepdims=True), axis=1))
    paces = spectra.argmax(axis=1) / 4
    np.testing.assert_allclose(paces[::5], (0.8, 1.2, 1.7, 2.2), atol=0.2)


def test_a_corpus_of_short_sessions_is_refused(other: Path) -> None:
    with pytest.raises(RecordingError, match=r"no session of 1000 samples .* use a longer corpus"):
        unlabelled(other, RATE, 1000)


def test_both_ways_of_pre_training_learn(other: Path) -> None:
    torch.manual_seed(0)
    windows = unlabelled(other, RATE, 64)
    # A step shown again in other noise is more like itself than like another person's.
    alike = simclr_har.pretrain(simclr_har.ConvolutionalEncoder(), windows, SIMCLR, seed=0)
    told = cpc.pretrain(cpc.RecurrentEncoder(), windows[:, :50], CPC, seed=0)
    for losses in (alike, told):
        assert np.mean(losses[-5:]) < 0.95 * np.mean(losses[:3])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_turned_view_has_the_same_norms(seed: int) -> None:
    rng = np.random.default_rng(seed)
    windows = rng.normal(0, 1, (4, 60, 3)).astype(np.float32)
    turned = simclr_har.view(windows, replace(SIMCLR, turn=True, noise=0.0, scale=0.0), rng)
    assert not np.allclose(turned, windows, atol=1e-3)
    np.testing.assert_allclose(
        np.linalg.norm(turned, axis=2), np.linalg.norm(windows, axis=2), rtol=1e-4, atol=1e-5
    )


def test_the_losses_are_zero_for_certainty_and_log_of_the_choices_for_none() -> None:
    certain = torch.eye(4).repeat(2, 1)
    assert simclr_har.alike(certain, temperature=0.01).item() == pytest.approx(0, abs=1e-4)
    assert simclr_har.alike(torch.ones(8, 4), 0.1).item() == pytest.approx(np.log(7))
    steps = 50 * torch.eye(4)[:, None].repeat(1, 3, 1)
    assert cpc.told_apart(steps, steps).item() == pytest.approx(0, abs=1e-4)
    assert cpc.told_apart(torch.ones(4, 3, 5), torch.ones(4, 3, 5)).item() == pytest.approx(np.log(4))


@pytest.mark.parametrize("kind", ["simclr", "cpc"])
def test_what_was_learned_is_kept_and_serves_strangers(
    kind: str, other: Path, few: tuple[Windows, Windows], tmp_path: Path
) -> None:
    def build() -> SensorMethod:
        if kind == "cpc":
            return CpcHar(other, tmp_path, CPC)
        return SimclrHar(other, tmp_path, SIMCLR)

    train, test = few
    named = build().predict(train, test, RATE, 3, seed=0)
    assert named.dtype == np.int64
    assert np.mean(named == test.labels) > 0.5
    (kept,) = tmp_path.glob("*.safetensors")
    before = kept.stat().st_mtime_ns
    again = build()
    np.testing.assert_array_equal(again.predict(train, test, RATE, 3, seed=0), named)
    assert kept.stat().st_mtime_ns == before
    build().prepare(30.0)
    assert len(list(tmp_path.glob("*"))) == 2, "each rate has weights of its own"


@pytest.mark.parametrize("build", [simclr_har.ConvolutionalEncoder, cpc.RecurrentEncoder])
def test_fine_tuning_learns_and_leaves_the_encoder_as_it_was(
    build: Callable[[], SensorEncoder], few: tuple[Windows, Windows]
) -> None:
    torch.manual_seed(0)
    encoder, train = build(), few[0]
    seen = torch.from_numpy(train.samples[:, :100] / np.float32(STANDARD_GRAVITY))
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    named = [fine_tuned(encoder, seen, train.labels, seen, 3, seed=0, steps=60) for _ in range(2)]
    assert np.mean(named[0] == train.labels) > 0.8
    np.testing.assert_array_equal(*named)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert all(parameter.requires_grad for parameter in encoder.parameters())


def test_pre_training_depends_on_its_seed_alone(other: Path, tmp_path: Path) -> None:
    def weights(folder: str, seed: int) -> bytes:
        SimclrHar(other, tmp_path / folder, replace(SIMCLR, steps=3), seed=seed).prepare(RATE)
        (file,) = (tmp_path / folder).iterdir()
        return file.read_bytes()

    before = torch.get_rng_state()
    one = weights("a", 0)
    assert torch.equal(torch.get_rng_state(), before), "nobody else's randomness is touched"
    torch.manual_seed(123)
    assert weights("b", 0) == one
    assert weights("c", 1) != one


def test_features_are_remembered_by_content_and_forgotten_by_age() -> None:
    remembered, made = Remembered(keep=2), []

    def extract(samples: np.ndarray) -> np.ndarray:
        made.append(samples.copy())
        return samples.sum(axis=(1, 2), keepdims=True)[:, :, 0]

    a, b, c = (np.full((2, 3, 3), value, np.float32) for value in (1, 2, 3))
    for samples, rate, count in (
        (a, 50, 1),
        (a.copy(), 50, 1),
        (a, 30, 2),
        (a, 50, 2),
        (b, 50, 3),
        (c, 50, 4),
    ):
        np.testing.assert_array_equal(
            remembered.get(samples, rate, extract), samples.sum(axis=(1, 2))[:, None]
        )
        assert len(made) == count
    remembered.get(a, 50, extract)
    assert len(made) == 5


def test_imagenet_weights_see_where_a_picture_is_bright() -> None:
    net = pretrained()
    picture = torch.zeros(1, 3, 32, 32)
    picture[..., 24:, :] = 1
    with torch.inference_mode():
        stages = net.stages(as_photograph(picture))
        logits = net(as_photograph(picture))
    assert [tuple(stage.shape[1:]) for stage in stages] == [
        (16, 48, 48), (24, 24, 24), (40, 12, 12), (80, 6, 6),
        (112, 6, 6), (192, 3, 3), (320, 3, 3), (1280, 3, 3),
    ]  # fmt: skip
    edge = stages[1].diff(dim=2).abs().mean(dim=(0, 1, 3))
    assert 16 <= int(edge.argmax()) <= 18, "the edge stands at three quarters of the rows"
    assert logits.std() > 0.5
    assert len(net.stages(as_photograph(picture), last=3)) == 3


def test_imagenet_rows_recognise_exercises_of_strangers_and_the_global_average_does_less(
    few: tuple[Windows, Windows],
) -> None:
    train, test = few
    right = {}
    uses: tuple[Use, ...] = ("rows", "global")
    for use in uses:
        named = ImageNet(SpectrogramSpec.preset("motion"), use).predict(train, test, RATE, 3, seed=0)
        right[use] = np.mean(named == test.labels)
    assert right["rows"] > 0.6
    assert 0.33 < right["global"] < right["rows"]
