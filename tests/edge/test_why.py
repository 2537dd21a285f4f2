"""Explanations: what they say matters does matter, measured by taking it away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import img2imu_edge as i2e
from img2imu_edge.card import Form
from img2imu_edge.decision import softmax
from img2imu_edge.engines import Array, Engine, Output
from img2imu_edge.session import Session, Window
from img2imu_edge.spectrogram import SpectrogramPlan, stack
from img2imu_edge.why import Explanation, explain, parts_of
from tests.conftest import Run

MODELS = Path(i2e.__file__).parent / "models"
WINDOWS = 12


class SampleEngine:
    """A network that takes samples: it draws its picture itself, as exported with `--raw`."""

    form: Form = "samples"

    def __init__(self, base: Engine, plan: SpectrogramPlan, samples: int) -> None:
        self._base, self._plan = base, plan
        self.name, self.classes, self.embedding_size = base.name, base.classes, base.embedding_size
        self.input_shape: tuple[int, ...] = (samples, plan.axes)

    def run(self, window: Array) -> Output:
        logits, embeddings = self.run_many(window[None])
        return Output(logits[0], embeddings[0])

    def run_many(self, windows: Array) -> Output:
        pictures = [stack(self._plan.columns(each).transpose(1, 2, 0)) for each in windows]
        return self._base.run_many(np.ascontiguousarray(np.stack(pictures)))


class PartEngine:
    """A network that looks at a part of one axis of a picture, and counts what it is asked."""

    form: Form = "picture"
    name, classes, embedding_size = "part", 2, 1

    def __init__(self, shape: tuple[int, ...], axis: int, rows: slice, columns: slice) -> None:
        self.input_shape, self.asked = shape, 0
        self._axis, self._rows, self._columns = axis, rows, columns

    def run(self, window: Array) -> Output:
        logits, embeddings = self.run_many(window[None])
        return Output(logits[0], embeddings[0])

    def run_many(self, windows: Array) -> Output:
        self.asked += len(windows)
        half = self.input_shape[1] // 2
        sensor, colour = divmod(self._axis, 3)
        seen = windows[:, colour, sensor * half : (sensor + 1) * half][:, self._rows, self._columns]
        brightness = seen.mean(axis=(1, 2))
        return Output(np.stack([0 * brightness, 9 * brightness - 2], axis=1), brightness[:, None])


def windows_of(model: i2e.Model, recording: i2e.Recording) -> list[Window]:
    """Windows from all over the recording."""
    session = Session(model, recording.rate, recording.channels)
    windows = [w for block in recording.blocks(4096) for w in session.take(block) if w.seen is not None]
    return windows[5 :: len(windows) // WINDOWS]


@pytest.fixture(scope="module", params=["onnx", "tflite", "samples"])
def any_model(request: pytest.FixtureRequest, model: i2e.Model) -> i2e.Model:
    if request.param == "tflite":
        pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed")
        return i2e.load_model(MODELS / "shoulder.tflite")
    if request.param == "onnx":
        return model
    card = replace(model.card, input=replace(model.card.input, form="samples"))
    return replace(model, card=card, engine=SampleEngine(model.engine, model.plan, model.window_samples))


def falls(model: i2e.Model, seen: Array, found: Explanation, hidden: np.ndarray) -> list[float]:
    """By how much the label's probability falls with (n, parts) hidden."""
    changed = parts_of(model, seen).hide(hidden.reshape(-1, *found.effects.shape))
    at, temperature = model.card.labels.index(found.label), model.card.decision.temperature
    logits = model.engine.run_many(changed).logits
    return [found.probability - float(softmax(row / temperature)[at]) for row in logits]


def test_what_matters_most_does(any_model: i2e.Model, recording: i2e.Recording) -> None:
    rng = np.random.default_rng(0)
    most, least, at_random = [], [], []
    for window in windows_of(any_model, recording):
        assert window.seen is not None
        found = explain(any_model, window.seen)
        order = np.argsort(-found.effects, axis=None, kind="stable")
        tenth = round(0.1 * len(order))
        draws = [order[:tenth], order[-tenth:], *(rng.permutation(order)[:tenth] for _ in range(5))]
        hidden = np.zeros((len(draws), len(order)), bool)
        for row, draw in zip(hidden, draws, strict=True):
            row[draw] = True
        fall = falls(any_model, window.seen, found, hidden)
        assert fall[0] == pytest.approx(found.probability - found.without, abs=1e-5)
        assert fall[0] >= max(fall[1], float(np.mean(fall[2:])))
        most.append(fall[0])
        least.append(fall[1])
        at_random.append(np.mean(fall[2:]))
    assert np.mean(most) > 0.5
    assert np.mean(most) > np.mean(at_random) + 0.4
    assert np.mean(at_random) > np.mean(least)


@pytest.mark.parametrize(
    ("axis", "rows", "columns", "said"),
    [
        (4, slice(12, 18), slice(21, 35), "gyroscope y, 0.59–1.4 Hz, in the last 2.0 s"),
        (0, slice(20, 24), slice(7, 21), "accelerometer x, 2.3–3.8 Hz, 4.0 to 2.0 s before the end"),
        (2, slice(0, 8), slice(0, 35), "the level of accelerometer z"),
    ],
)
def test_it_finds_where_a_network_looks(
    model: i2e.Model, recording: i2e.Recording, axis: int, rows: slice, columns: slice, said: str
) -> None:
    engine = PartEngine(model.engine.input_shape, axis, rows, columns)
    card = replace(model.card, labels=("dull", "bright"), decision=i2e.card.DecisionSpec())
    looking = replace(model, card=card, engine=engine)
    seen = np.full(engine.input_shape, 0.9, np.float32)
    if columns.start:  # quiet for a moment, so that hiding the rest changes it
        frequencies = seen.reshape(3, 2, model.plan.rows, -1)[:, :, 8:]
        frequencies[..., :6] = 0.1
    found = explain(looking, seen, "bright")
    assert found.place() == (said, pytest.approx(1))
    assert found.sentence().startswith(
        f"bright, {found.probability:.0%}: above all {said} (100% of what speaks for it). "
    )
    assert engine.asked == found.effects.size + 2 <= 482
    assert found.axes[found.channels[axis]] == pytest.approx(1)
    assert found.without < found.probability
    against = explain(looking, seen, "dull")
    assert "nothing in the picture speaks for it" in against.sentence()
    assert against.sentence().startswith(
        f"dull, {against.probability:.0%} in this window alone, against bright with {found.probability:.0%}: "
    )
    assert set(against.axes.values()) == {0}
    assert np.array_equal(against.effects, -found.effects)


def test_the_figures_fit_together(any_model: i2e.Model, recording: i2e.Recording) -> None:
    window = windows_of(any_model, recording)[3]
    assert window.seen is not None
    before = window.seen.copy()
    found = explain(any_model, window.seen)
    again = explain(any_model, window.seen, found.label)
    assert np.array_equal(window.seen, before)
    assert np.array_equal(found.effects, again.effects)
    assert found.sentence() == again.sentence()
    plan, columns = any_model.plan, any_model.card.input.columns
    assert found.map.shape == (2 * plan.rows, columns)
    assert found.picture.shape == (6, plan.rows, columns)
    assert sum(found.axes.values()) == pytest.approx(1)
    assert sum(found.sensors.values()) == pytest.approx(1)
    assert 0 < found.place()[1] <= 1
    assert sum(share for _, share in found.frequencies) == pytest.approx(1)
    assert sum(share for *_, share in found.times) == pytest.approx(1)
    assert (found.times[0][0], found.times[-1][1]) == (5.0, 0.0)
    assert sorted(found.bands) == list(found.bands)
    cells = found.effects[:, found.row_bands][..., found.column_times]
    assert np.allclose(found.map.sum(), cells.sum(), rtol=1e-4)


def test_what_is_hidden_is_gone_and_the_rest_is_not(any_model: i2e.Model, recording: i2e.Recording) -> None:
    seen = windows_of(any_model, recording)[3].seen
    assert seen is not None
    parts = parts_of(any_model, seen)
    shape = (len(parts.picture), len(parts.bands), int(parts.column_times.max()) + 1)
    nothing, everything, first = np.zeros((3, *shape), bool)
    everything[:] = True
    first[0, :, 0] = True
    same, gone, other = parts.hide(np.stack([nothing, everything, first]))
    assert np.allclose(same, seen, atol=1e-5)
    if any_model.card.input.form == "samples":
        assert np.allclose(gone, 0, atol=1e-4)
        assert np.allclose(other[:, 1:], seen[:, 1:], atol=1e-5)
        assert np.allclose(other[150:], seen[150:], atol=1e-5)
        assert np.abs(other[:50, 0]).max() < 1e-3 < np.abs(seen[:50, 0]).max()
    else:
        assert (gone.std(axis=2) < 1e-6).all()
        assert np.array_equal(other[1:], seen[1:])
        assert np.array_equal(other[..., 7:], seen[..., 7:])
        assert not np.array_equal(other, seen)


def test_what_cannot_be_explained_is_told(model: i2e.Model) -> None:
    seen = np.zeros(model.engine.input_shape, np.float32)
    with pytest.raises(ValueError, match="no label 'swim'; it has pendulum"):
        explain(model, seen, "swim")
    with pytest.raises(ValueError, match=r"takes \(3, 64, 35\), not \(3, 64, 34\)"):
        explain(model, seen[..., :-1])
    assert "%" in explain(model, seen).sentence()


@pytest.mark.parametrize("axes", [3, 6])
def test_the_papers_picture_can_be_cut_too(axes: int, model: i2e.Model) -> None:
    plan = SpectrogramPlan(i2e.SpectrogramSpec.preset("paper"), 50.0, axes)
    channels = model.card.input.channels[:axes]
    card = replace(model.card, input=replace(model.card.input, channels=channels, columns=17))
    engine = PartEngine((3, axes // 3 * plan.rows, 17), 0, slice(0, 9), slice(0, 17))
    paper = replace(model, card=card, plan=plan, engine=engine)
    seen = np.random.default_rng(0).random(engine.input_shape, np.float32)
    parts = parts_of(paper, seen)
    assert len(parts.bands) <= 12
    assert not any(band.is_level for band in parts.bands[1:])
    same = parts.hide(np.zeros((1, axes, len(parts.bands), 5), bool))[0]
    assert np.array_equal(same, seen)


def test_the_command_explains_a_decision(
    img2imu: Run, model: i2e.Model, recording: i2e.Recording, offline: list[i2e.Decision]
) -> None:
    done = img2imu("classify", i2e.demo_recording(), "--model", "shoulder", "--why", "60")
    assert done.returncode == 0, done.stderr
    decision = next(d for d in offline if d.time >= 60)
    session = Session(model, recording.rate, recording.channels)
    windows = [w for block in recording.blocks(4096) for w in session.take(block)]
    seen = next(w.seen for w in windows if w.time == decision.time)
    assert seen is not None
    said = explain(model, seen, decision.label).sentence()
    assert " ".join(said.split()) in " ".join(done.stdout.split())
    assert f"{decision.time:.1f} s" in done.stdout
    for channel in recording.channels:
        assert channel in done.stdout
    late = img2imu("classify", i2e.demo_recording(), "--model", "shoulder", "--why", "600")
    assert late.returncode == 2
    assert "nothing was decided from 600 s" in " ".join(late.stderr.replace("│", " ").split())
    both = img2imu("classify", i2e.demo_recording(), "--model", "shoulder", "--why", "6", "--json")
    assert both.returncode == 2
    assert "takes no --json" in " ".join(both.stderr.replace("│", " ").split())
