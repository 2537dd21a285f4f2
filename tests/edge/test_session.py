from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import img2imu_edge as i2e
from img2imu_edge.resample import LOBES
from img2imu_edge.samples import ACCELEROMETER


def decide(
    session: i2e.Session, recording: i2e.Recording, sizes: list[int], **options: bool
) -> list[i2e.Decision]:
    decisions, position = [], 0
    for size in sizes:
        part = slice(position, position + size)
        block = i2e.SampleBlock(recording.times[part], recording.values[part], recording.channels)
        decisions += session.push(block, **options)
        position += size
    return decisions + session.finish()


def excerpt(recording: i2e.Recording, keep: np.ndarray) -> i2e.Recording:
    return i2e.Recording(
        "excerpt", recording.times[keep], recording.values[keep], recording.channels, None, recording.rate
    )


def timed(recording: i2e.Recording, rate: float) -> i2e.Recording:
    """The same samples at another rate."""
    return replace(recording, times=np.arange(len(recording)) / rate, rate=rate)


@pytest.fixture
def session(model: i2e.Model, recording: i2e.Recording) -> i2e.Session:
    return i2e.Session(model, recording.rate, recording.channels)


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_decisions_do_not_depend_on_how_samples_were_chunked(
    model: i2e.Model, recording: i2e.Recording, data: st.DataObject
) -> None:
    """Scores to the last bit, with lost samples and a long gap in between."""
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    keep = rng.random(2000) > data.draw(st.sampled_from([0.0, 0.05]))
    if data.draw(st.booleans()):
        keep[600:1000] = False
    part = excerpt(timed(recording, data.draw(st.sampled_from([50, 52, 100]))), np.flatnonzero(keep))
    scale = data.draw(st.sampled_from([1, 10, 300]))
    sizes = rng.integers(1, scale + 1, size=len(part)).tolist()
    sizes = sizes[: int(np.searchsorted(np.cumsum(sizes), len(part))) + 1]
    fresh = i2e.Session(model, part.rate, part.channels)
    assert decide(fresh, part, sizes) == i2e.classify_recording(part, model)


def test_memory_that_is_used_again_changes_nothing(model: i2e.Model, recording: i2e.Recording) -> None:
    session = i2e.Session(model, recording.rate, recording.channels)
    times, values = np.empty(7), np.empty((7, len(recording.channels)), np.float32)
    block, decisions = i2e.SampleBlock(times, values, recording.channels), []
    for start in range(0, 1400, 7):
        times[:], values[:] = recording.times[start : start + 7], recording.values[start : start + 7]
        decisions += session.push(block)
    part = excerpt(recording, np.arange(1400))
    assert decisions + session.finish() == i2e.classify_recording(part, model)


@pytest.mark.parametrize("rate", [50, 52, 100])
def test_a_decision_comes_with_the_first_sample_that_settles_it(
    model: i2e.Model, recording: i2e.Recording, rate: float
) -> None:
    part = timed(recording, rate)
    session = i2e.Session(model, rate, part.channels)
    delay = 0 if rate == model.card.input.rate else LOBES / min(rate, model.card.input.rate)
    made = 0
    for _ in range(2):  # the second time is after the device's clock began anew
        for k in range(1500):
            block = i2e.SampleBlock(part.times[k : k + 1], part.values[k : k + 1], part.channels)
            decisions = session.push(block)
            for decision in decisions if k else ():  # the first sample also ends what was before
                made += 1
                assert part.times[k - 1] - 1e-9 <= decision.time + delay <= part.times[k] + 1e-9
    spec, plan = model.card.input, model.plan
    first = (plan.frame - 1 + (spec.columns - 1) % spec.hop_columns * plan.hop) / spec.rate + delay
    apart = spec.hop_columns * plan.hop / spec.rate
    assert made == 2 * (int((part.times[1499] - first) / apart) + 1)


def test_nothing_is_decided_before_the_first_window_is_full(
    session: i2e.Session, model: i2e.Model, recording: i2e.Recording
) -> None:
    decisions = decide(session, recording, [10] * 100)
    window = model.window_samples
    full = [d for d in decisions if d.status != "warming_up"]
    early = decisions[: decisions.index(full[0])]
    assert early
    assert all(d.label is None and not d.scores for d in early)
    assert [d.coverage for d in early] == sorted(d.coverage for d in early)
    assert full[0].time == pytest.approx(recording.times[window - 1], abs=1e-9)
    hop = model.card.input.hop_columns * model.plan.hop / model.card.input.rate
    np.testing.assert_allclose(np.diff([d.time for d in decisions]), hop, atol=1e-9)


def test_coverage_is_the_share_of_real_samples_and_too_little_is_a_gap(
    model: i2e.Model, recording: i2e.Recording
) -> None:
    window = model.window_samples
    keep = np.ones(3 * window, bool)
    keep[window + 20 : 2 * window - 20] = False
    part = excerpt(recording, np.flatnonzero(keep))
    decisions = i2e.classify_recording(part, model)
    for decision in decisions:
        end = round(decision.time * 50) + 1
        seen = keep[max(end - window, 0) : end].sum() / window
        assert decision.coverage == pytest.approx(seen)
        if decision.status == "gap":
            assert decision.coverage < model.card.decision.min_coverage
    statuses = [d.status for d in decisions]
    assert "gap" in statuses
    assert statuses[-1] in ("ok", "unknown")


def test_a_long_gap_warms_up_again(session: i2e.Session, model: i2e.Model, recording: i2e.Recording) -> None:
    window = model.window_samples
    keep = np.r_[0 : 2 * window, 4 * window : 6 * window]
    decisions = decide(session, excerpt(recording, keep), [10] * (4 * window // 10 + 1))
    after = [d for d in decisions if d.time >= recording.times[4 * window]]
    assert session.stats.restarts == 2
    assert after[0].status == "warming_up"
    assert after[-1].status in ("ok", "unknown")


def test_under_load_decisions_are_skipped_and_samples_never(
    model: i2e.Model, recording: i2e.Recording, offline: list[i2e.Decision]
) -> None:
    session = i2e.Session(model, recording.rate, recording.channels)
    decisions = decide(session, recording, [2000] * (len(recording) // 2000 + 1), latest_only=True)
    assert session.stats.samples == len(recording)
    assert session.stats.skipped > 0
    assert len(decisions) + session.stats.skipped == len(offline)
    assert decisions[-1].time == offline[-1].time


def test_not_a_number_becomes_a_gap_and_never_reaches_the_scores(
    model: i2e.Model, recording: i2e.Recording
) -> None:
    values = recording.values[:1500].copy()
    values[400:410] = np.nan
    values[500] = np.inf
    session = i2e.Session(model, recording.rate, recording.channels)
    decisions = session.push(i2e.SampleBlock(recording.times[:1500], values, recording.channels))
    assert session.stats.invalid == 11
    assert session.stats.bridged == 11
    assert min(d.coverage for d in decisions if d.status == "ok") < 1
    assert all(np.isfinite(list(d.scores.values())).all() for d in decisions)


def test_a_sensor_that_lacks_channels_is_named(model: i2e.Model) -> None:
    with pytest.raises(i2e.SensorMismatchError, match="does not deliver gyr_x, gyr_y, gyr_z"):
        i2e.Session(model, 50.0, ACCELEROMETER)


def test_channels_are_matched_by_name(model: i2e.Model, recording: i2e.Recording) -> None:
    order = [5, 0, 4, 1, 3, 2]
    channels = tuple(recording.channels[i] for i in order)
    part = slice(0, 1500)
    values = np.ascontiguousarray(recording.values[part][:, order])
    shuffled = i2e.Recording("s", recording.times[part], values, channels, None, recording.rate)
    straight = excerpt(recording, np.arange(1500))
    assert i2e.classify_recording(shuffled, model) == i2e.classify_recording(straight, model)


def test_a_wearable_at_another_rate_gets_nearly_the_same_answers(
    model: i2e.Model, recording: i2e.Recording, offline: list[i2e.Decision]
) -> None:
    """Resampled to 40 Hz and back by the session: what changes is what 40 Hz cannot carry."""
    times = np.arange(0, recording.times[-1], 1 / 40)
    values = np.stack([np.interp(times, recording.times, axis) for axis in recording.values.T], axis=1)
    slower = i2e.Recording("slow", times, values.astype(np.float32), recording.channels, None, 40.0)
    labels = {round(d.time, 2): d.label for d in i2e.classify_recording(slower, model)}
    pairs = [(d.label, labels.get(round(d.time, 2))) for d in offline if d.status == "ok"]
    assert np.mean([a == b for a, b in pairs]) > 0.8


def test_uneven_times_are_brought_to_the_grid(
    model: i2e.Model, recording: i2e.Recording, offline: list[i2e.Decision]
) -> None:
    """A phone's stamps wander by some milliseconds: what was measured when still counts."""
    rng = np.random.default_rng(0)
    times = recording.times + rng.uniform(-0.004, 0.004, len(recording))
    moved = [np.interp(times, recording.times, axis) for axis in recording.values.T]
    values = np.stack(moved, axis=1).astype(np.float32)
    uneven = i2e.Recording("uneven", times, values, recording.channels, None, recording.rate)
    decisions = i2e.classify_recording(uneven, model)
    assert all(d.coverage == 1.0 for d in decisions if d.status == "ok")
    by_time = {round(d.time, 1): d.label for d in decisions}
    pairs = [(d.label, by_time.get(round(d.time, 1))) for d in offline if d.status == "ok"]
    assert np.mean([a == b for a, b in pairs]) > 0.95


def test_windows_unlike_anything_trained_on_are_rejected(model: i2e.Model, recording: i2e.Recording) -> None:
    rng = np.random.default_rng(0)
    times = np.arange(1500) / 50
    strange = {
        "white noise": rng.normal(scale=20, size=(1500, 6)),
        "a drill": np.tile(40 * np.sign(np.sin(2 * np.pi * 11 * times))[:, None], 6),
    }
    for name, values in strange.items():
        alien = i2e.Recording(name, times, values.astype(np.float32), recording.channels, None, 50.0)
        answers = [d for d in i2e.classify_recording(alien, model) if d.status != "warming_up"]
        assert all(d.label == "unknown" for d in answers), name
