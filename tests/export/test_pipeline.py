"""The pipeline on a genuine network: what is written, what is rejected, what is kept in float32."""

from __future__ import annotations

import json
import os
import platform
import resource
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("seglearn")

from img2imu_export.advice import complaint
from img2imu_export.auto import PREFERENCE, choose, here, pick, wanted
from img2imu_export.evidence import FEWEST, Evidence, draw
from img2imu_export.layers import added_noise, sqnr_db, worst
from img2imu_export.pipeline import Export, Exporter, take_times
from img2imu_export.report import Bounds
from img2imu_export.seal import golden
from img2imu_export.targets import Layer, Options, Trained, find_target
from img2imu_export.write import check_writable

import img2imu_edge as i2e
from img2imu_edge.spectrogram import SpectrogramPlan
from img2imu_edge.whole import write_whole

STRICT, LOOSE = Bounds(agreement=1.1), Bounds(agreement=0.9, f1_loss=0.1)


@pytest.fixture(scope="module")
def few(evidence: Evidence) -> Evidence:
    """Every tenth window: enough to see that things are as they should."""
    return replace(evidence, samples=evidence.samples[::10], labels=evidence.labels[::10])


@pytest.fixture(scope="module")
def int8(trained: Trained, few: Evidence) -> Export:
    """An int8 file within its bounds."""
    return exporter(trained, few, LOOSE, "auto").make("onnx-int8", find_target("onnx-int8"))


def exporter(trained: Trained, evidence: Evidence, bounds: Bounds, *keep: str) -> Exporter:
    return Exporter(trained, evidence, Options(keep_float=keep), bounds, "exercises")


def test_auto_keeps_the_worst_layer_in_float_until_none_is_left(
    trained: Trained, few: Evidence, int8: Export
) -> None:
    known = [f"backbone.stages.{i}" for i in range(3)]
    made = exporter(trained, few, STRICT, "auto", *known).make("onnx-int8", find_target("onnx-int8"))
    names = [layer.name for layer in made.converted.layers]
    assert sorted(made.options.keep_float) == names == [*known, "backbone.stages.3", "project"]
    assert made.comparison is not None
    assert made.comparison.max_error < 1e-3  # nothing is rounded any more
    assert made.objections  # no file can agree on more than all windows

    assert (int8.options.keep_float, int8.objections) == ((), ())
    assert int8.comparison is not None
    assert int8.comparison.max_error > 1e-3
    assert made.options.keep_float[3] == worst(int8.converted.layers, known)[0].name


def test_a_rejected_file_keeps_its_ending_until_a_better_one_takes_its_place(
    trained: Trained, few: Evidence, int8: Export, tmp_path: Path
) -> None:
    loose = exporter(trained, few, LOOSE)
    rejected = loose.write(replace(int8, objections=("it is bad",)), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["exercises.onnx.rejected"]
    said = complaint([rejected], 100)
    first = worst(int8.converted.layers)[0].name
    for part in ("exercises.onnx.rejected: it is bad", f"--keep-float {first}", "--windows 400", "--qat"):
        assert part in said
    loose.write(int8, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["exercises.onnx"]
    assert complaint([int8], 100) == ""
    card = i2e.load_model(tmp_path / "exercises.onnx").card
    assert card.bounds is not None
    assert 0 < card.bounds.logits < 1
    assert "milliseconds" not in json.dumps(card.metrics)


def test_too_few_windows_are_no_ground_to_quantise_on(trained: Trained, few: Evidence) -> None:
    starved = replace(few, calibration=few.calibration[: FEWEST - 1])
    with pytest.raises(i2e.ModelError, match=f"{FEWEST - 1} windows are too few"):
        exporter(trained, starved, LOOSE).make("onnx-int8", find_target("onnx-int8"))


def test_a_layer_that_is_not_there_is_named_with_those_that_are(trained: Trained, few: Evidence) -> None:
    with pytest.raises(i2e.ModelError, match=r"no layer stem; its layers are: backbone.stages.0.*project"):
        exporter(trained, few, LOOSE, "stem")


def test_for_this_machine_times_decide_and_for_another_the_order(
    trained: Trained, few: Evidence, int8: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    loose = exporter(trained, few, LOOSE)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(platform, "machine", lambda: "aarch64")
        assert here() == "arm64"
        chosen = choose(loose, "x86")
    assert chosen.chosen is not None
    assert [one.name for one in chosen.made] == [chosen.chosen.name] == [wanted("x86")[0]]
    assert "not measured on x86" in str(chosen)
    float32 = loose.make("onnx-fp32", find_target("onnx-fp32"))
    assert float32.objections == ()
    made = take_times([float32, int8])
    assert made[0].comparison is not None
    assert made[0].comparison.relative_time == 1.0  # float32 is what others are relative to
    fastest = pick(made, measured=True)
    assert fastest is min(made, key=lambda one: one.comparison.milliseconds if one.comparison else np.inf)
    assert pick([replace(one, objections=("no",)) for one in made], measured=True) is None
    assert pick([replace(made[0], objections=("no",)), made[1]], measured=False) is made[1]
    assert here() in (*PREFERENCE, None)


def test_golden_windows_are_of_several_classes_and_neither_clear_nor_close(
    trained: Trained, few: Evidence
) -> None:
    vectors = golden(trained.net, trained.card, few.samples)
    assert len(set(vectors.logits.argmax(axis=1).tolist())) == len(vectors) == 3
    again = golden(trained.net, trained.card, few.samples)
    assert again.to_bytes() == vectors.to_bytes()
    plan = SpectrogramPlan(trained.card.spectrogram, trained.card.input.rate, 6)
    pytest.importorskip("img2imu_training.windows")
    from img2imu_training.fit import predict
    from img2imu_training.windows import pictures

    logits, _ = predict(trained.net, pictures(few.samples, plan))
    leads, winners = np.diff(np.sort(logits, axis=1)[:, -2:])[:, 0], logits.argmax(axis=1)
    for mine in vectors.logits:
        lead, rivals = np.diff(np.sort(mine)[-2:])[0], leads[winners == mine.argmax()]
        assert (rivals < lead - 0.01).mean() <= 0.5
        assert (rivals > lead + 0.01).mean() <= 0.5


def test_the_draw_is_even_between_classes_and_people() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 900, p=[0.9, 0.08, 0.02]).astype(np.int64)
    subjects = rng.choice(np.array(["ann", "bob"]), 900)
    drawn = draw(labels, subjects, 60)
    cells = [
        int(((labels[drawn] == k) & (subjects[drawn] == who)).sum())
        for k in range(3)
        for who in ("ann", "bob")
    ]
    there = [int(((labels == k) & (subjects == who)).sum()) for k in range(3) for who in ("ann", "bob")]
    assert len({*drawn.tolist()}) == 60
    most = max(cells)
    assert all(found >= min(have, most - 1) for found, have in zip(cells, there, strict=True))
    assert draw(labels, subjects, 5000).tolist() == list(range(900))


def test_noise_is_put_down_to_the_layer_that_makes_it() -> None:
    signal = np.random.default_rng(0).standard_normal(4000).astype(np.float32)
    assert sqnr_db(signal, signal) == 120
    assert sqnr_db(signal, np.float32(1.1) * signal) == pytest.approx(20, abs=0.01)
    layers = (Layer("a", 40.0), Layer("b", 20.0), Layer("c", 19.9), Layer("d", 30.0))
    assert [layer.name for layer in worst(layers)] == ["b", "c", "a", "d"]
    assert worst(layers, beside=("b",))[0].name == "c"
    assert sum(added_noise(layers).values()) == pytest.approx(10**-1.99)


@pytest.mark.parametrize("inside", [False, True])
def test_a_folder_in_the_way_is_said_to_be(tmp_path: Path, inside: bool) -> None:
    taken = tmp_path / "shoulder.onnx"
    taken.mkdir()
    if inside:
        (taken / "letter.txt").write_text("hello")
    with pytest.raises(i2e.ModelError, match=r"shoulder\.onnx is a folder that is in the way"):
        write_whole(taken, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["shoulder.onnx"]


def test_a_directory_that_is_a_file_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("hello")
    with pytest.raises(i2e.ModelError, match="cannot write"):
        check_writable(tmp_path / "file")
    with pytest.raises(i2e.ModelError, match="cannot write"):
        check_writable(tmp_path / "file" / "below")


def test_who_may_read_a_file_is_up_to_the_user(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    mask = os.umask(0o027)
    try:
        write_whole(path, b"new")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o600)
    write_whole(path, b"newer")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    """A limit on the size of files is what a full disk looks like to the one who writes."""
    write_whole(tmp_path / "model.onnx", b"old")
    limit, signals = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limit[1]))
    try:
        with pytest.raises(i2e.ModelError, match=r"cannot write .*model\.onnx"):
            write_whole(tmp_path / "model.onnx", bytes(8192))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, signals)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("model.onnx", b"old")]


_WRITER = """
import sys
from pathlib import Path
from img2imu_edge.whole import write_whole
path, old, new = Path(sys.argv[1]), b"a" * (8 << 20), b"b" * (8 << 20)
write_whole(path, old)
print("ready", flush=True)
while True:
    write_whole(path, new)
    write_whole(path, old)
"""


def test_killed_at_any_moment_the_name_stands_for_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    for delay in (0.01, 0.03, 0.05):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, env=environment
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(delay)
            writer.kill()
        content = path.read_bytes()
        assert content in (b"a" * (8 << 20), b"b" * (8 << 20))
