"""What the benchmark compares: each way runs, and those that compute the same thing find the same."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

if lacking := [name for name in ("scipy", "PIL", "torch", "onnxscript") if find_spec(name) is None]:
    pytest.skip(f"not installed: {', '.join(lacking)}", allow_module_level=True)

from benchmarks.alternatives.__main__ import main
from benchmarks.alternatives.cost import Spread, measure, write_demo
from benchmarks.alternatives.files import FILES
from benchmarks.alternatives.fleet import measure_fleet
from benchmarks.alternatives.floor import Peak, count, macs
from benchmarks.alternatives.growth import measure_growth
from benchmarks.alternatives.machine import Machine
from benchmarks.alternatives.results import Effort, Results
from benchmarks.alternatives.split import measure_split
from benchmarks.alternatives.ways import WAYS, Answer, Array, Entry, Way, find, load
from benchmarks.alternatives.worker import HOP, blocks
from img2imu_edge.container import CARD, Container, pack, unpack
from img2imu_edge.errors import BenchmarkError
from img2imu_edge.model import load_model
from img2imu_edge.recording import demo_recording, read_recording
from img2imu_edge.spectrogram import stack

FIRST, SOME = 242, 6
"""A hop of the demo in which one exercise follows another, and how many windows are looked at."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo(tmp_path_factory.mktemp("demo") / "demo.npz")


def answers(way: Way, demo: Path) -> list[Answer]:
    """What a way says of a few windows."""
    window = 250 // HOP
    fed = islice(blocks(demo), FIRST - window + 1, FIRST + SOME)
    return [answer for block in fed if (answer := way.push(block)) is not None]


def wanted(network: str) -> Array:
    """What the runtime's own parts say of the same windows, (SOME, classes)."""
    model, values = load_model(FILES[network]), read_recording(demo_recording()).values
    ends = [(hop + 1) * HOP for hop in range(FIRST, FIRST + SOME)]
    pictures = [stack(model.plan.columns(values[end - 250 : end]).transpose(1, 2, 0)) for end in ends]
    return model.engine.run_many(np.ascontiguousarray(np.stack(pictures))).logits


def logits(found: list[Answer]) -> Array:
    return np.stack([answer.logits for answer in found if answer.logits is not None])


@pytest.mark.parametrize(("name", "network"), [("chunks", "tiny-int8"), ("anew", "tiny-int8")])
def test_other_buffers_show_the_network_the_same_pictures(name: str, network: str, demo: Path) -> None:
    np.testing.assert_array_equal(logits(answers(load(find(name)), demo)), wanted(network))


def test_torch_computes_the_same(demo: Path) -> None:
    assert np.ptp(wanted("tiny-fp32"), axis=0).max() > 0.5  # the windows differ
    np.testing.assert_allclose(logits(answers(load(find("torch")), demo)), wanted("tiny-fp32"), atol=1e-3)


def test_the_front_end_in_the_graph_computes_the_same(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx
    from img2imu_export.onnx import graph_in_form, to_bytes
    from img2imu_export.targets import Trained

    parts, model = unpack(FILES["tiny-fp32"].read_bytes()), load_model(FILES["tiny-fp32"])
    trained = Trained(None, model.card, np.zeros((1, 250, 6), np.float32), np.empty(0))  # type: ignore[arg-type]
    graph = to_bytes(graph_in_form(onnx.load_from_string(parts.graph), trained, "samples"))
    told = replace(
        model.card,
        input=replace(model.card.input, form="samples"),
        sha256={"graph": hashlib.sha256(graph).hexdigest()},
    )
    path = tmp_path / "samples-fp32.onnx"
    path.write_bytes(pack(Container("onnx", graph, {CARD: told.to_json().encode()})))
    monkeypatch.setitem(FILES, "samples-fp32", path)
    found = logits(answers(load(find("graph-fp32")), demo))
    np.testing.assert_allclose(found, wanted("tiny-fp32"), atol=1e-3)


@pytest.mark.parametrize(
    "name", ["ours-tiny", "ours-drift", "ours-tiny-tflite", "plain", "forest", "minirocket"]
)
def test_every_other_way_decides_for_a_class(name: str, demo: Path) -> None:
    module = {"ours-tiny-tflite": "ai_edge_litert", "minirocket": "aeon", "forest": "sklearn"}.get(name)
    if module and find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    found = answers(load(find(name)), demo)
    assert len(found) in (SOME, SOME - 1)  # to resample, one has to wait for the samples after
    assert {answer.label for answer in found} <= {*load_model("shoulder").card.labels, None}


def test_a_run_becomes_a_page_with_its_figures(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("matplotlib", "jinja2"):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    ways = [find(name) for name in ("ours-tiny", "anew")]
    costs = measure(ways, demo, turns=2, decisions=3, starts=1)
    results = Results(
        machine=Machine(),
        effort=Effort(turns=2, decisions=3, starts=1),
        costs=tuple(costs),
        splits=(measure_split("tiny-int8", 5),),
        fleets=tuple(measure_fleet(["tiny-int8"], (1, 3), turns=2, least=3)),
        growths=(measure_growth(5.0, 50.0, 2), measure_growth(5.0, 25.0, 2), measure_growth(2.5, 50.0, 2)),
        peak=Peak(40.0, 160.0),
        works=(count("tiny"),),
        left_out=("torch",),
    )
    for cost in costs:
        assert 0 < cost.cpu_us.low <= cost.cpu_us.median <= cost.cpu_us.high
        assert 20 < cost.memory_mb < 300
        assert cost.load_s.median < cost.start_s.median
    results.save(tmp_path / "results.json")
    assert Results.load(tmp_path / "results.json") == results
    page = tmp_path / "costs.md"
    command = ["alternatives", "--read", str(tmp_path / "results.json"), "--page", str(page)]
    monkeypatch.setattr("sys.argv", command)
    assert main() == 0
    text = page.read_text(encoding="utf-8")
    row = f"| {costs[1].cpu_us.median:,.0f}\u00a0("
    assert row in text
    assert row in capsys.readouterr().out
    assert "Not installed here, and so left out: PyTorch, eager (tiny, float32)." in text
    assert "{{" not in text
    drawn = {f"costs/{path.name}" for path in (tmp_path / "costs").glob("*.svg")}
    assert drawn == set(re.findall(r"!\[[^]]*\]\((.*?)\)", text))


def test_a_way_that_cannot_be_made_says_why(demo: Path) -> None:
    with pytest.raises(BenchmarkError, match="KeyError: 'none'"):
        measure([Entry("none", "", "same", "", "")], demo, turns=1, decisions=1, starts=1)


def test_results_of_another_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text('{"costs": []}', encoding="utf-8")
    for name, why in (("old.json", "missing key 'machine'"), ("none.json", "No such file")):
        with pytest.raises(BenchmarkError, match=why):
            Results.load(tmp_path / name)


def test_multiply_adds_are_those_of_the_layers() -> None:
    # The shipped network by hand: 3 × 3 convolutions, their maps, the projection and the scores.
    maps = [(3, 24, 64 * 18), (24, 32, 32 * 9), (32, 64, 16 * 5), (64, 96, 16 * 5)]
    net = sum(9 * inputs * outputs * cells for inputs, outputs, cells in maps)
    features = 96 * 8 + 3 * 2 * (4 * 32 + 8)
    assert macs(FILES["tiny-fp32"].read_bytes()) == net + features * 32 + 32 * 7
    assert count("tiny").floor_us(Peak(1.0, 2.0), int8=False) == pytest.approx((8686304 + 134400) / 1e3)


def test_spread_leaves_the_outer_tenths_out() -> None:
    assert Spread.of(list(range(11)), 2.0) == Spread(10.0, 2.0, 18.0)


def test_names_are_told_once() -> None:
    assert len({entry.name for entry in WAYS}) == len(WAYS)
    assert len({(entry.words, entry.network) for entry in WAYS}) == len(WAYS)
