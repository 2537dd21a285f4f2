from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from img2imu_edge import SpectrogramSpec, StreamingSpectrogram, spectrogram
from img2imu_edge.spectrogram import SpectrogramPlan, stack

MOTION = SpectrogramSpec.preset("motion")
PAPER = SpectrogramSpec.preset("paper")


def motion(seconds: float, rate: float = 50.0, axes: int = 6, seed: int = 0) -> np.ndarray:
    """Noise, a swing of 1.5 Hz and gravity: every part of the picture has something to show."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    swing = 4 * np.sin(2 * np.pi * 1.5 * t)[:, None] * rng.normal(size=axes)
    gravity = np.resize([0.5, -9.6, 1.2, 0, 0, 0], axes)
    return (swing + gravity + rng.normal(size=(len(t), axes))).astype(np.float32)


def test_paper_preset_has_the_reference_shape_and_range() -> None:
    picture = spectrogram(motion(600 / 64, rate=64.0, axes=3), PAPER, rate=64.0)
    assert picture.shape == (3, 65, 40)
    assert picture.dtype == np.float32
    np.testing.assert_array_equal(picture.min(axis=(1, 2)), 0)
    np.testing.assert_array_equal(picture.max(axis=(1, 2)), 1)


def test_paper_preset_is_the_log_power_density_of_scipy() -> None:
    samples = motion(12, rate=64.0, axes=3).astype(np.float64)
    _, _, power = signal.spectrogram(
        samples, 64.0, window="hann", nperseg=128, noverlap=116, detrend=False, axis=0, mode="psd"
    )
    expected = np.log10(power).transpose(1, 0, 2)
    low, high = expected.min(axis=(1, 2), keepdims=True), expected.max(axis=(1, 2), keepdims=True)
    picture = spectrogram(samples, PAPER, 64.0)
    np.testing.assert_allclose(picture, (expected - low) / (high - low), atol=2e-3)


@pytest.mark.parametrize("hertz", [1.0, 2.0, 3.0, 8.0, 12.0])
def test_a_tone_is_brightest_in_its_own_row(hertz: float) -> None:
    t = np.arange(500) / 50.0
    tone = np.sin(2 * np.pi * hertz * t)[:, None] * np.ones(3)
    plan = SpectrogramPlan(MOTION, 50.0, 3)
    picture = spectrogram(tone, MOTION, 50.0)[0, MOTION.level_rows :].mean(axis=1)
    brightest = plan.frequencies[picture.argmax()]
    assert abs(brightest - hertz) <= 0.1 * hertz


def test_power_is_calibrated_whatever_the_rate() -> None:
    """White noise of variance σ² at rate f has the density 2σ²/f, so the same dB in every row."""
    spec = replace(MOTION, level_rows=0, levels_s=())
    rng = np.random.default_rng(3)
    for rate in (32.0, 50.0, 100.0):
        noise = rng.normal(size=(round(600 * rate), 3)) * np.sqrt(rate / 2)
        cells = spectrogram(noise, spec, rate)[:, 8:]
        span = spec.ranges["acc"].high_db - spec.ranges["acc"].low_db
        decibels = cells * span + spec.ranges["acc"].low_db
        power = 10 ** (decibels / 10)
        assert 0.9 < power.mean() < 1.1


def test_level_rows_keep_the_sign_of_gravity_and_detrending_keeps_it_out_of_the_rest() -> None:
    still = np.tile(np.array([9.81, -9.81, 0.0], np.float32), (200, 1))
    picture = spectrogram(still, MOTION, 50.0)
    levels, bins = picture[:, : MOTION.level_rows], picture[:, MOTION.level_rows :]
    assert levels[0].min() > 0.8
    assert levels[1].max() < 0.2
    np.testing.assert_allclose(levels[2], 0.5)
    assert bins.max() == 0


def test_level_rows_go_from_posture_to_the_course_of_slow_motion() -> None:
    """A swing of 1 Hz is gone from the mean over 1.6 s, and there in that over 0.2 s."""
    t = np.arange(500) / 50.0
    swing = np.stack([6 * np.sin(2 * np.pi * t), np.zeros(500), np.full(500, 6.0)], axis=1)
    levels = spectrogram(swing, MOTION, 50.0)[:, : MOTION.level_rows : 2]
    spread = levels[0].max(axis=1) - levels[0].min(axis=1)
    assert (np.diff(spread) > 0).all()
    assert spread[0] < 0.12
    assert spread[-1] > 0.45
    np.testing.assert_allclose(levels[2], 0.75, atol=1e-5)


def test_cycles_keep_fast_events_sharp_in_time() -> None:
    knock = np.zeros((400, 3))
    knock[200] = 50.0
    sharp, dull = (
        (spectrogram(knock, spec, 50.0)[0, -1] > 0.2).sum() for spec in (MOTION, replace(MOTION, cycles=0.0))
    )
    assert 0 < sharp <= dull / 3


@st.composite
def chunkings(draw: st.DrawFn, total: int) -> list[int]:
    """Sizes that add up to the total: single samples, packets, large blocks, everything at once."""
    scale = draw(st.sampled_from([1, 3, 12, 150, total]))
    sizes, left = [], total
    while left:
        sizes.append(min(left, draw(st.integers(1, scale))))
        left -= sizes[-1]
    return sizes


@pytest.mark.parametrize("axes", [3, 6])
@pytest.mark.parametrize(
    "spec", [PAPER, MOTION, replace(MOTION, hop_s=0.02, frame_s=0.5, f_min=2.0, cycles=0.0, levels_s=())]
)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_streaming_equals_batch_bit_for_bit(spec: SpectrogramSpec, axes: int, data: st.DataObject) -> None:
    samples = motion(14, axes=axes, seed=data.draw(st.integers(0, 99)))
    plan = SpectrogramPlan(spec, 50.0, axes)
    columns = data.draw(st.integers(1, 24))
    stream = StreamingSpectrogram(plan, columns)
    position = 0
    for size in data.draw(chunkings(len(samples))):
        stream.push(samples[position : position + size])
        position += size
        if stream.total >= columns:
            first = (stream.total - columns) * plan.hop
            window = samples[first : first + (columns - 1) * plan.hop + plan.frame]
            np.testing.assert_array_equal(stream.picture(), spectrogram(window, spec, 50.0))
    assert stream.total == (len(samples) - plan.frame) // plan.hop + 1


def test_a_cleared_stream_is_as_new() -> None:
    samples = motion(8)
    plan = SpectrogramPlan(MOTION, 50.0, 6)
    stream = StreamingSpectrogram(plan, 4)
    stream.push(motion(7, seed=5))
    stream.clear()
    with pytest.raises(IndexError):
        stream.picture()
    stream.push(samples)
    np.testing.assert_array_equal(stream.picture(), spectrogram(samples, MOTION, 50.0)[:, :, -4:])


def test_frames_further_apart_than_they_are_long_leave_samples_out() -> None:
    spec = replace(PAPER, frame_s=0.2, hop_s=0.5)
    samples = motion(20, axes=3)
    stream = StreamingSpectrogram(SpectrogramPlan(spec, 50.0, 3), 5)
    for sample in samples:
        stream.push(sample[None])
    window = samples[(stream.total - 5) * 25 :][: 4 * 25 + 10]
    np.testing.assert_array_equal(stream.picture(), spectrogram(window, spec, 50.0))


def test_stacking_puts_the_gyroscope_after_the_accelerometer() -> None:
    picture = np.arange(6 * 5 * 4, dtype=np.float32).reshape(6, 5, 4)
    stacked = stack(picture)
    assert stacked.shape == (3, 10, 4)
    np.testing.assert_array_equal(stacked[1, :5], picture[1])
    np.testing.assert_array_equal(stacked[1, 5:], picture[4])
    assert stacked.flags.c_contiguous
    assert stack(picture[:3].transpose(0, 1, 2)).flags.c_contiguous


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros((10, 3)), 50.0, "less than one frame"),
        (np.full((200, 3), np.nan), 50.0, "NaN"),
        (np.zeros(200), 50.0, "expected"),
        (np.zeros((200, 4)), 50.0, "3 or 6 axes"),
        (np.zeros((200, 3)), 20.0, "cannot show"),
    ],
)
def test_bad_input_says_what_is_wrong(samples: np.ndarray, rate: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        spectrogram(samples, MOTION, rate)


def test_an_unknown_preset_is_told_the_known_ones() -> None:
    with pytest.raises(ValueError, match="motion, paper"):
        SpectrogramSpec.preset("papper")


@pytest.mark.parametrize(
    "change", [{"hop_s": 0.0}, {"bins": 1}, {"ranges": {}}, {"contrast": "window"}, {"f_min": 99.0}]
)
def test_impossible_specs_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be|need"):
        replace(MOTION, **change)
