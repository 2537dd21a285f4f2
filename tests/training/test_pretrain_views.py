from __future__ import annotations

import doctest
import itertools
import math
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from img2imu_training.augment import rotate
from img2imu_training.pretrain.objectives import moco, simclr, vicreg
from img2imu_training.pretrain.views import (
    GRADED,
    WHOLE,
    AmplitudeShift,
    AxisFlip,
    AxisMix,
    FrequencyMask,
    FrequencyWarp,
    Hue,
    Layout,
    PermuteX,
    RandomResizedCrop,
    TimeMask,
    TranslateX,
    ViewOptions,
    Views,
    axes,
    frequency,
    images,
    level,
    pipeline,
    resize,
    time,
)
from img2imu_training.pretrain.views.axes import rotations
from img2imu_training.windows import pictures
from torch import Tensor

from img2imu_edge.spec import SpectrogramSpec
from img2imu_edge.spectrogram import SpectrogramPlan

SPEC = SpectrogramSpec.preset("motion")
LAYOUT = Layout.of(SPEC, 32, 32)
PLAN = SpectrogramPlan(SPEC, 50.0, 3)
STRENGTHS = {
    "permute_x": 4.0,
    "amplitude_shift": 6.0,
    "axis_mix": 15.0,
    "frequency_warp": 0.1,
    "gaussian_blur": 0.1,
}
OPTIONS = [ViewOptions(name, 1.0, STRENGTHS.get(name, 0.4)) for name in GRADED] + [
    ViewOptions(name) for name in WHOLE
]


@pytest.fixture
def batch() -> Tensor:
    torch.manual_seed(0)
    return torch.rand(16, 3, 32, 32)


def seen(samples: np.ndarray) -> Tensor:
    return torch.from_numpy(pictures(samples.astype(np.float32), PLAN))


def noise(deviations: tuple[float, float, float], n: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, PLAN.frame + 31 * PLAN.hop, 3)) * deviations


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_view_keeps_shape_and_range_and_follows_the_seed(option: ViewOptions, batch: Tensor) -> None:
    view = option.make(LAYOUT)
    before = batch.clone()
    torch.manual_seed(1)
    first = view(batch)
    torch.manual_seed(1)
    assert torch.equal(view(batch), first)
    assert torch.equal(batch, before), "a view must not change what it is given"
    assert first.shape == batch.shape
    assert first.dtype == torch.float32
    assert 0 <= first.min() <= first.max() <= 1
    assert not torch.equal(first, batch)


@pytest.mark.parametrize(
    "option", [o for o in OPTIONS if o.name not in ("horizontal_flip", "greyscale")], ids=lambda o: o.name
)
def test_every_picture_draws_its_own(option: ViewOptions, batch: Tensor) -> None:
    same = batch[:1].repeat(16, 1, 1, 1)
    varied = option.make(LAYOUT)(same)
    assert len(torch.unique(varied.flatten(1), dim=0)) > 3


@given(share=st.floats(0.05, 1.0), seed=st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_a_translation_rolls_reflects_or_fills(share: float, seed: int) -> None:
    ramp = torch.arange(1.0, 17.0).expand(32, 3, 2, 16) / 16
    moved = {}
    for fill in ("wrap", "reflect", "zero"):
        torch.manual_seed(seed)
        moved[fill] = TranslateX(share, fill)(ramp)
    for wrapped, reflected, zeroed in zip(*moved.values(), strict=True):
        shifts = [s for s in range(-16, 17) if torch.equal(zeroed, shifted_with_zeros(ramp[0], s))]
        shift = shifts[0]
        assert abs(shift) <= 16 * share + 0.5
        assert torch.equal(wrapped, torch.roll(ramp[0], shift, dims=2))
        assert torch.equal(reflected[zeroed > 0], wrapped[zeroed > 0])
        assert (reflected[0, 0].diff().abs() < 1.5 / 16).all(), "a mirror image has no jump"


def shifted_with_zeros(picture: Tensor, shift: int) -> Tensor:
    moved = torch.zeros_like(picture)
    if shift >= 0:
        moved[..., shift:] = picture[..., : 16 - shift]
    else:
        moved[..., :shift] = picture[..., -shift:]
    return moved


@given(parts=st.integers(2, 8), seed=st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_a_permutation_shuffles_whole_parts(parts: int, seed: int) -> None:
    torch.manual_seed(seed)
    columns = torch.arange(24.0).expand(16, 3, 2, 24) / 24
    shuffled = PermuteX(parts)(columns)
    assert torch.equal(shuffled.sort(dim=3).values, columns)
    breaks = ((24 * shuffled[:, 0, 0]).diff().round() != 1).sum(dim=1)
    assert breaks.max() <= parts - 1
    assert breaks.max() > 0


def test_hue_leaves_grey_and_turns_colours_around_it(batch: Tensor) -> None:
    grey = batch[:, :1].expand(-1, 3, -1, -1)
    torch.testing.assert_close(Hue(0.5)(grey), grey, atol=1e-5, rtol=0)
    mild = 0.4 + 0.2 * batch
    turned = Hue(0.1)(mild)
    torch.testing.assert_close(turned.mean(dim=1), mild.mean(dim=1), atol=1e-5, rtol=0)
    third = rotations(torch.full((1, 3), 1 / math.sqrt(3)), torch.tensor([2 * math.pi / 3]))
    torch.testing.assert_close(third[0].abs().round(), torch.tensor([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]))


def test_a_mixed_picture_is_that_of_a_turned_sensor() -> None:
    """Independent axes of different power, truly turned: the mean picture of many windows must agree."""
    samples = noise((0.3, 3.0, 1.0), 200) + np.array([9.81, 0, 0])
    axis, angle = torch.tensor([[0.6, 0.0, 0.8]]), torch.tensor([math.radians(35)])
    turn = rotations(axis, angle)
    truth = seen(rotate(samples, turn.double().numpy().repeat(200, 0)))
    mixed = AxisMix(15, LAYOUT).turn(seen(samples), turn.expand(200, 3, 3))
    powers = (~LAYOUT.is_level()).nonzero().flatten()

    def decibels(shown: Tensor) -> Tensor:
        return 10 * (10 ** (shown[:, :, powers] * LAYOUT.span_db / 10)).mean(dim=(0, 3)).log10()

    torch.testing.assert_close(decibels(mixed), decibels(truth), atol=0.5, rtol=0)
    assert (decibels(seen(samples)) - decibels(truth)).abs().max() > 10
    torch.testing.assert_close(mixed[:, :, :8], truth[:, :, :8], atol=1e-5, rtol=0)


def test_a_flipped_axis_is_a_sensor_the_other_way_round() -> None:
    samples = noise((1, 1, 1), 16) + np.array([5.0, -3.0, 8.0])
    ways = [seen(samples[:1] * signs)[0] for signs in itertools.product((1, -1), repeat=3)]
    for flipped in AxisFlip(LAYOUT)(seen(samples[:1]).expand(16, -1, -1, -1)):
        assert any(torch.allclose(flipped, way, atol=1e-5) for way in ways)


def test_decibels_are_amplitude() -> None:
    """Twice the amplitude is 6.02 dB more power, in every cell that is not clipped."""
    samples = noise((0.5, 1.0, 2.0), 4)
    once, twice = seen(samples), seen(2 * samples)
    inside = (once > 0) & (twice < 1) & (twice > 0.1) & ~LAYOUT.is_level()[:, None]
    difference = (twice - once)[inside] * LAYOUT.span_db
    assert inside[:, :, LAYOUT.level_rows :].float().mean() > 0.8
    torch.testing.assert_close(difference, torch.full_like(difference, 6.0206), atol=0.01, rtol=0)
    shifted = AmplitudeShift(5, LAYOUT)(torch.full((64, 3, 32, 32), 0.5)) - 0.5
    assert (shifted[:, :, :8] == 0).all()
    each = shifted[:, :, 8:].flatten(2)
    assert (each == each[..., :1]).all()
    assert 0.09 < each.abs().max() <= 0.1 + 1e-6


def test_a_warped_picture_is_that_of_a_quicker_movement() -> None:
    """One row of the picture is a factor of (15 / 0.3)^(1/23) on the tempo."""
    seconds = np.arange(PLAN.frame + 31 * PLAN.hop) / 50
    slow, quick = (
        seen(np.stack([np.sin(2 * np.pi * f * seconds)] * 3, axis=1)[None]) for f in PLAN.frequencies[16:18]
    )
    moved = FrequencyWarp(5 / 48, LAYOUT).move(slow, torch.tensor([1.0]))
    line = LAYOUT.level_rows + 17
    assert int(moved[0, 0, 8:].mean(dim=1).argmax()) == int(quick[0, 0, 8:].mean(dim=1).argmax()) == line - 8
    # Every row sees four of its cycles, so that the line's flanks move with it.
    torch.testing.assert_close(
        moved[..., line - 2 : line + 3, :], quick[..., line - 2 : line + 3, :], atol=0.1, rtol=0
    )
    torch.testing.assert_close(moved[..., :8, :], slow[..., :8, :])


@pytest.mark.parametrize(("view", "axis"), [(TimeMask(0.25), 3), (FrequencyMask(0.25), 2)])
def test_a_mask_is_one_run(view: torch.nn.Module, axis: int) -> None:
    masked = (view(torch.ones(200, 3, 32, 32)) == 0.5).float()
    line = masked.amax(dim=1).amax(dim=1 if axis == 3 else 2)
    assert line.sum(dim=1).max() == 8
    assert (line.diff(dim=1) > 0).sum(dim=1).max() <= 1
    assert line.mean(dim=0).min() > 0, "every place is hidden at times"


def test_a_crop_is_a_part_and_takes_any_size() -> None:
    ramp = torch.linspace(0, 1, 96).expand(64, 3, 96, 96)
    cropped = RandomResizedCrop(0.9, LAYOUT)(ramp)
    assert cropped.shape == (64, 3, 32, 32)
    assert (cropped.diff(dim=3) >= -1e-6).all()
    assert (cropped.diff(dim=2).abs() < 1e-5).all()
    span = cropped[:, 0, 0, -1] - cropped[:, 0, 0, 0]
    assert span.min() < 0.6 < 0.9 < span.max()
    torch.testing.assert_close(
        RandomResizedCrop(1e-6, LAYOUT)(ramp)[:, :, :, 8:24],
        resize(ramp, 32, 32)[:, :, :, 8:24],
        atol=0.1,
        rtol=0,
    )


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (48, 80), (20, 16), (32, 32)])
def test_resizing_keeps_the_mean_and_does_not_alias(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    raw = torch.randint(0, 256, (4, 3, *size), dtype=torch.uint8)
    made = resize(raw, 32, 32)
    assert made.shape == (4, 3, 32, 32)
    assert made.mean().item() == pytest.approx(raw.float().mean().item() / 255, abs=0.01)
    stripes = torch.arange(size[1]).remainder(2).mul(255).to(torch.uint8).expand(1, 3, *size)
    if size[1] >= 64:
        assert (resize(stripes, 32, 32)[..., 2:-2] - 0.5).abs().max() < 0.15


def test_probability_is_the_share_of_pictures() -> None:
    views = Views((ViewOptions("horizontal_flip", 0.3),), LAYOUT)
    batch = torch.randint(0, 256, (1000, 1, 3, 32, 32), dtype=torch.uint8)
    torch.manual_seed(0)
    first, second = views(batch)
    plain = batch[:, 0].float() / 255
    changed = [(view - plain).abs().amax(dim=(1, 2, 3)) > 1e-6 for view in (first, second)]
    for share in (c.float().mean() for c in changed):
        assert share == pytest.approx(0.3, abs=0.001)
    assert not torch.equal(*changed), "the two views draw apart"


def test_a_rare_view_reaches_small_batches_too() -> None:
    views = Views((ViewOptions("horizontal_flip", 0.1),), LAYOUT)
    torch.manual_seed(0)
    ramp = torch.linspace(0, 1, 32).expand(2, 3, 32, 32)
    flipped = [(views.vary(ramp)[:, 0, 0, 0] == 1).sum().item() for _ in range(300)]
    assert sum(flipped) / 600 == pytest.approx(0.1, abs=0.04)


@pytest.mark.parametrize("module", [axes, frequency, images, level, pipeline, time, moco, simclr, vicreg])
def test_the_examples_run(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


def test_a_pair_of_the_corpus_stays_a_pair() -> None:
    pair = torch.randint(0, 256, (4, 2, 3, 64, 64), dtype=torch.uint8)
    first, second = Views((), LAYOUT)(pair)
    torch.testing.assert_close(first, resize(pair[:, 0], 32, 32))
    torch.testing.assert_close(second, resize(pair[:, 1], 32, 32))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ViewOptions("swirl"), "there are: amplitude_shift"),
        (lambda: ViewOptions("hue"), "needs a strength"),
        (lambda: ViewOptions("greyscale", strength=1.0), "all or nothing"),
        (lambda: ViewOptions("hue", 0.0, 0.1), "probability"),
        (lambda: ViewOptions("hue", 1.0, 3.0).make(LAYOUT), "hue: strength is the largest turn"),
        (lambda: ViewOptions("permute_x", 1.0, 2.5).make(LAYOUT), "whole number"),
        (
            lambda: Views((ViewOptions("greyscale"), ViewOptions("random_resized_crop", 1.0, 0.8)), LAYOUT),
            "must be the first",
        ),
        (lambda: Layout(32, 32, sensors=3), "cannot be shared"),
        (lambda: Layout(32, 32, level_rows=32), "no row for frequencies"),
    ],
)
def test_what_cannot_be_is_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


def test_the_layout_follows_the_spectrogram() -> None:
    assert Layout.of(SPEC, 32, 32) == Layout(32, 32, sensors=1, level_rows=8, span_db=50.0)
    assert Layout.of(SPEC, 64, 32).sensors == 2
    assert Layout.of(SPEC, 64, 32).is_level().nonzero().flatten().tolist() == [*range(8), *range(32, 40)]
    assert Layout.of(SPEC, 48, 48).level_rows == 0
