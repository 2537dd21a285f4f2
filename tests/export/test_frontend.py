"""The front-end in the graph draws what the runtime's draws, in torch and in the genuine engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from img2imu_export.frontend import FrontEnd  # noqa: E402

from img2imu_edge.card import InputSpec, ModelCard  # noqa: E402
from img2imu_edge.spec import SensorRange, SpectrogramSpec  # noqa: E402
from img2imu_edge.spectrogram import (  # noqa: E402
    SpectrogramPlan,
    StreamingSpectrogram,
    spectrogram,
    stack,
)

COLUMNS = 6
EXACT = 1e-5
"""Of a cell from 0 to 1, where its power is not mere rounding."""

RANGES = {"acc": SensorRange(-25.0, 25.0, 12.0), "gyr": SensorRange(-35.0, 15.0, 3.0)}


@st.composite
def plans(draw: st.DrawFn) -> SpectrogramPlan:
    rate, axes = draw(st.floats(12.0, 220.0)), draw(st.sampled_from([3, 6]))
    if draw(st.booleans()):
        spec = SpectrogramSpec.preset(draw(st.sampled_from(["paper", "motion"])))
        assume(spec.f_max <= rate / 2)
        return SpectrogramPlan(spec.scaled(draw(st.floats(0.3, 2.5))), rate, axes)
    fixed, logarithmic = draw(st.booleans()), draw(st.booleans())
    levels = draw(st.lists(st.floats(0.1, 2.0), max_size=3)) if fixed else []
    spec = SpectrogramSpec(
        frame_s=draw(st.floats(0.5, 2.0)),
        hop_s=draw(st.floats(0.01, 0.6)),
        frequencies="log" if logarithmic else "linear",
        bins=draw(st.integers(2, 12)) if logarithmic else 0,
        f_min=0.5 if logarithmic else 0.0,
        f_max=draw(st.floats(2.0, rate / 2)) if logarithmic else 0.0,
        cycles=draw(st.sampled_from([0.0, 1.0, 3.5])) if logarithmic else 0.0,
        detrend=draw(st.booleans()),
        level_rows=max(len(levels), 1) * draw(st.integers(0, 3)) if fixed else 0,
        levels_s=tuple(levels),
        contrast="fixed" if fixed else "window",
        ranges=RANGES if fixed else {},
        floor=draw(st.sampled_from([1e-12, 1e-8, 1e-3])),
    )
    return SpectrogramPlan(spec, rate, axes)


def moved(plan: SpectrogramPlan, seed: int, size: float, offset: float, columns: int = COLUMNS) -> np.ndarray:
    """Two windows (2, samples, axes) of a sensor that moves so much around an offset."""
    length = plan.frame + (columns - 1) * plan.hop
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((2, length, plan.axes)).cumsum(axis=1) * rng.random((2, 1, plan.axes))
    windows: np.ndarray = (size * steps + offset).astype(np.float32)
    return windows


def drawn(plan: SpectrogramPlan, windows: np.ndarray) -> np.ndarray:
    """What the runtime draws."""
    return np.stack([stack(spectrogram(window, plan.spec, plan.rate)) for window in windows])


def rounding(plan: SpectrogramPlan, window: np.ndarray) -> float:
    """How far apart two right pictures of a window may be, because their sums have another order.

    Two orders differ by up to 0.7 ε √n of the sum of the parts' sizes. Where what is left is much smaller
    than its parts, as with gravity in the paper's picture, that is a large share, and a logarithm shows it.
    """
    starts = range(0, len(window) - plan.frame + 1, plan.hop)
    frames = np.stack([window[k : k + plan.frame].T for k in starts]).astype(np.float64)
    sums = frames @ plan.basis
    off = np.finfo(np.float32).eps * plan.frame**0.5 * (np.abs(frames) @ np.abs(plan.basis))
    levels, bins = plan.spec.level_rows, len(plan.frequencies)
    apart = 2 * np.abs(sums) * off + off**2
    power = sums[..., levels : levels + bins] ** 2 + sums[..., levels + bins :] ** 2 + float(plan.floor)
    nepers = np.log1p((apart[..., levels : levels + bins] + apart[..., levels + bins :]) / power)
    if plan.spec.contrast == "window":
        # Stretched to 0 … 1, the last bits of a sum with the floor and of its logarithm are seen as well.
        nepers += np.finfo(np.float32).eps * (1 + np.abs(np.log(power)))
        span = np.ptp(np.log(power), axis=(0, 2))
        return float((3 * nepers.max(axis=(0, 2)) / np.maximum(span, 1e-6)).max())
    shown = np.concatenate([sums[..., :levels], np.log(power)], -1) * plan.gain + plan.offset
    around = np.concatenate([off[..., :levels], nepers], -1) * plan.gain
    return float((np.clip(shown + around, 0, 1) - np.clip(shown - around, 0, 1)).max())


@settings(max_examples=100, deadline=None)
@given(
    plan=plans(),
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([0.0, 1e-3, 0.05, 1.0, 300.0]),
    offset=st.sampled_from([0.0, 9.81, -9.81, 1e5]),
)
def test_any_picture_is_the_runtime_s(plan: SpectrogramPlan, seed: int, size: float, offset: float) -> None:
    windows = moved(plan, seed, size, offset)
    wanted = drawn(plan, windows)
    with torch.inference_mode():
        found = FrontEnd(plan)(torch.from_numpy(windows)).numpy()
    assert found.shape == wanted.shape == (2, 3, plan.axes // 3 * plan.rows, COLUMNS)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1
    for mine, theirs, window in zip(found, wanted, windows, strict=True):
        assert np.abs(mine - theirs).max() <= EXACT + rounding(plan, window)


@given(plan=plans())
@settings(max_examples=30, deadline=None)
def test_silence_is_dark_wherever_the_window_sets_the_contrast(plan: SpectrogramPlan) -> None:
    windows = np.zeros((1, plan.frame + 2 * plan.hop, plan.axes), np.float32)
    with torch.inference_mode():
        found = FrontEnd(plan)(torch.from_numpy(windows)).numpy()
    np.testing.assert_array_equal(found, drawn(plan, windows))
    assert plan.spec.contrast == "fixed" or not found.any()


# From here on: the genuine converters and engines.
if find_spec("seglearn") is None:  # looked for, not imported: importing it needs pandas
    pytest.skip("seglearn is not installed", allow_module_level=True)
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from img2imu_export.evidence import Evidence, gather  # noqa: E402
from img2imu_export.onnx import front_end  # noqa: E402
from img2imu_export.targets import Options, Trained, find_target  # noqa: E402
from img2imu_training.checkpoint import load  # noqa: E402
from img2imu_training.fit import predict  # noqa: E402
from img2imu_training.network import Architecture, Network  # noqa: E402


@pytest.fixture(scope="module")
def evidence(checkpoint: Path) -> Evidence:
    return gather(load(checkpoint)[1], None, None, 64)


def plan_of(card: ModelCard) -> SpectrogramPlan:
    return SpectrogramPlan(card.spectrogram, card.input.rate, len(card.input.channels))


@pytest.fixture(scope="module")
def trained(checkpoint: Path, evidence: Evidence) -> Trained:
    net, card = load(checkpoint)
    return Trained(net, card, evidence.calibration, drawn(plan_of(card), evidence.calibration))


@pytest.fixture(scope="module")
def paper(trained: Trained, evidence: Evidence) -> Trained:
    """The paper's picture of the accelerometer; what its network says does not matter."""
    card, spec = trained.card, SpectrogramSpec.preset("paper")
    about = InputSpec(card.input.channels[:3], card.input.rate, 16, 4, card.input.placement)
    plan = SpectrogramPlan(spec, about.rate, 3)
    samples = np.ascontiguousarray(evidence.calibration[:, : plan.frame + 15 * plan.hop, :3])
    net = Network(Architecture("tiny", len(card.labels), 1, plan.rows, 0, 16, 8)).eval()
    return Trained(net, replace(card, input=about, spectrogram=spec), samples, drawn(plan, samples))


def hard(trained: Trained) -> np.ndarray:
    """Real windows; the same much larger; one of zeros."""
    real = trained.samples[:40]
    windows: np.ndarray = np.concatenate([real, 100 * real[:5], 0 * real[:1]])
    return windows


def assert_drawn(found: np.ndarray, windows: np.ndarray, plan: SpectrogramPlan) -> None:
    for mine, theirs, window in zip(found, drawn(plan, windows), windows, strict=True):
        assert np.abs(mine - theirs).max() <= EXACT + rounding(plan, window)


def test_onnx_runtime_draws_the_paper_s(paper: Trained) -> None:
    import onnxruntime

    graph, windows = front_end(paper).SerializeToString(), hard(paper)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (found,) = session.run(["picture"], {"samples": windows})
    assert not found[-1].any()  # the floor, which the exporter would drop, is there
    assert_drawn(found, windows, plan_of(paper.card))


def test_litert_draws_the_paper_s(paper: Trained) -> None:
    litert_torch = pytest.importorskip("litert_torch")
    from ai_edge_litert.interpreter import Interpreter
    from img2imu_export.quiet import quiet

    plan, windows = plan_of(paper.card), hard(paper)
    with quiet():
        front, shape = FrontEnd(plan).eval(), (1, *windows.shape[1:])
        content = litert_torch.convert(front, sample_kwargs={"samples": torch.zeros(shape)}).model_content()
    run = Interpreter(model_content=content, num_threads=1).get_signature_runner()
    found = [next(iter(run(samples=window[None]).values()))[0] for window in windows]
    assert_drawn(np.stack(found), windows, plan)


@pytest.fixture(scope="module")
def graphs(trained: Trained) -> Callable[[str], bytes]:
    """Graphs from samples, by their target's name."""
    return cache(lambda name: find_target(name).convert(trained, Options("samples")).graph)


def test_onnx_runtime_draws_motion_on_the_way_to_its_logits(
    graphs: Callable[[str], bytes], trained: Trained
) -> None:
    import onnxruntime

    tapped, windows = onnx.load_model_from_string(graphs("onnx-fp32")), hard(trained)
    tapped.graph.output.add(name="picture").type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    session = onnxruntime.InferenceSession(tapped.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(["picture"], {"samples": windows})
    assert_drawn(found, windows, plan_of(trained.card))
    assert np.abs(found[:40] - trained.pictures[:40]).max() < 1e-4


@pytest.mark.parametrize("name", ["onnx-fp32", "tflite-fp32"])
def test_the_graph_from_samples_is_the_streaming_front_end_and_the_network(
    name: str, graphs: Callable[[str], bytes], trained: Trained, evidence: Evidence
) -> None:
    if name.startswith("tflite"):
        pytest.importorskip("litert_torch")
    engine = find_target(name).engine(graphs(name))
    assert engine is not None
    plan = plan_of(trained.card)
    assert engine.form == "samples"
    assert engine.input_shape == evidence.samples.shape[1:]
    windows = evidence.samples[::8]
    pictures = []
    for window in windows:
        streaming = StreamingSpectrogram(plan, trained.card.input.columns)
        for start in range(0, len(window), 17):
            streaming.push(window[start : start + 17])
        pictures.append(stack(streaming.picture()))
    logits, embeddings = predict(trained.net, np.stack(pictures))
    found = [engine.run(window) for window in windows]
    np.testing.assert_allclose(np.stack([output.logits for output in found]), logits, atol=1e-4)
    np.testing.assert_allclose(np.stack([output.embedding for output in found]), embeddings, atol=1e-4)
