"""Fine-tuning on people's own recordings: the genuine command, its figures, and what it refuses."""

from __future__ import annotations

import _thread
import json
import signal
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from img2imu_training import spar
from img2imu_training.augment import Augmentation
from img2imu_training.calibrate import fit_temperature
from img2imu_training.checkpoint import load
from img2imu_training.crossfit import cross_fit
from img2imu_training.evaluate import evaluation_windows, group_f1
from img2imu_training.finetune import Finetuned, FinetuneOptions, Task, finetune, gather, plan
from img2imu_training.finetune_cli import app
from img2imu_training.fit import FitOptions, predict
from img2imu_training.head import HeadOptions, features, scores
from img2imu_training.recordings import Corpus
from img2imu_training.report.build import build_report
from img2imu_training.report.render import render
from img2imu_training.tune import TuneOptions
from img2imu_training.windows import pictures
from typer.testing import CliRunner

from img2imu_edge.errors import Img2ImuError, ModelError, RecordingError, TrainingError
from tests.conftest import Run

CLASSES = ("bent_over_row", "pendulum", "trapezius_row")
PEOPLE = ("01", "02", "03", "04")
ACC = ("acc_x", "acc_y", "acc_z")
QUICK = FitOptions(
    head=HeadOptions(copies=1, pairs=256),
    tune=TuneOptions(batch=8, check_every=2),
    augmentation=Augmentation(scale=0.1),
)
OPTIONS = FinetuneOptions(base="untrained:tiny", sensors="acc", fit=QUICK)


def excerpt(
    corpus: Corpus, person: str, classes: tuple[str, ...] = CLASSES, seconds: float = 14, every: int = 1
) -> list[str]:
    """Lines of a CSV: so much of each class, one after the other, every so many samples."""
    lines = ["time,acc_x,acc_y,acc_z,label"]
    for name in classes:
        label = corpus.classes.index(name)
        session = next(s for s in corpus.sessions if s.subject == person and s.labels[0] == label)
        for row in session.values[100 : 100 + round(seconds * corpus.rate) : every, :3]:
            numbers = ",".join(f"{value:.3f}" for value in row)
            lines.append(f"{(len(lines) - 1) * every / corpus.rate:.3f},{numbers},{name}")
    return lines


def write(folder: Path, name: str, lines: list[str], **about: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    if about:
        (folder / f"{name}.json").write_text(json.dumps(about))


@pytest.fixture(scope="module")
def folder(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a user has: a recording for each of four people, three classes in each."""
    path = tmp_path_factory.mktemp("data") / "exercises"
    for person in PEOPLE:
        write(path, f"of-{person}", excerpt(corpus, person), subject=person, placement="wrist")
    return path


def made(recordings: Path | str, options: FinetuneOptions) -> Task:
    corpus, notices = gather(str(recordings), options)
    return plan(str(recordings), corpus, notices, options)


@pytest.fixture(scope="module")
def task(folder: Path) -> Task:
    torch.set_num_threads(1)
    return made(folder, OPTIONS)


@pytest.fixture(scope="module")
def found(task: Task) -> Finetuned:
    return finetune(task)


def test_the_command_makes_a_model_and_a_report(img2imu: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "exercises.safetensors"
    done = img2imu(
        *("finetune", folder, "--base", "untrained:tiny", "-o", out),
        *("--keep-out", "04", "--placement", "left wrist", "--false-alarm", 0.1),
    )
    assert done.returncode == 0, done.stderr
    net, card = load(out)
    assert (card.name, card.labels) == ("exercises", CLASSES)
    assert (card.input.channels, card.input.rate, card.input.columns) == (ACC, 50.0, 35)
    assert (card.input.hop_columns, card.input.placement) == (5, "left wrist")
    assert card.provenance["subjects"] == {"trained": ["01", "02", "03"], "kept_out": ["04"]}
    assert card.provenance["data"]["recordings"] == str(folder)
    assert card.provenance["base"] == "untrained:tiny"
    novelty = card.decision.novelty
    assert novelty is not None
    assert 0 < novelty.threshold < 10
    told = card.metrics["leave_subjects_out"]
    assert told["macro_f1"] > 0.6
    assert f"{told['macro_f1']:.3f} ± {told['spread']:.3f}" in done.stdout
    assert f"img2imu export {out}" in done.stdout
    assert f"{100 * novelty.false_alarm:.1f}% of what it knows (10% asked)" in done.stdout
    assert "held out: 01" in done.stderr
    assert "3 people, 3 classes" in done.stderr
    page = out.with_suffix(".html").read_text()
    assert all(name in page for name in CLASSES)
    for part in ("Would more labels help?", "Can it be trusted?", "What the network saw", "1 more kept out"):
        assert part in page
    others = made(folder, replace(OPTIONS, keep_out=("01", "02")))
    unseen = others.windows.of(("04",))
    logits, _ = predict(net, pictures(unseen.samples, others.learner.plan))
    assert group_f1(unseen.labels, logits.argmax(axis=1)) > 0.5


def test_a_group_has_no_part_in_its_own_calibration(found: Finetuned) -> None:
    folds, judged = found.trained.folds, found.trained.judged
    assert len(folds) == len(judged.thresholds) == 4
    rest = folds[1:]
    assert judged.thresholds[0] == np.quantile(np.concatenate([f.distances for f in rest]), 0.95)
    temperature = fit_temperature(
        np.concatenate([f.logits for f in rest]), np.concatenate([f.windows.labels for f in rest])
    )
    mine = len(folds[0].logits)
    np.testing.assert_allclose(judged.logits[:mine], folds[0].logits / temperature, rtol=1e-4)
    far = replace(folds[0], distances=folds[0].distances + 100)
    again = cross_fit([far, *rest], 0.05)
    assert again.thresholds[0] == judged.thresholds[0]
    assert again.false_alarms[0] == 1
    shares = [np.mean(f.distances > limit) for f, limit in zip(folds, judged.thresholds, strict=True)]
    np.testing.assert_allclose(judged.false_alarms, shares)
    novelty = found.trained.card.decision.novelty
    assert novelty is not None
    assert novelty.false_alarm == pytest.approx(judged.false_alarm, abs=1e-4)
    with pytest.raises(ValueError, match="no other"):
        cross_fit(folds[:1], 0.05)


def test_the_curve_ends_at_all_labels(task: Task, found: Finetuned) -> None:
    budget, folds = found.budget, found.trained.folds
    assert budget.labels[:-1].tolist() == [1, 2, 5, 10, 20]
    assert budget.labels[-1] == round(len(task.windows) * 3 / 4 / 3)
    assert budget.scores.shape == (6, 12)
    np.testing.assert_allclose(budget.scores[-1], np.repeat([f.macro_f1 for f in folds], 3))
    assert budget.scores[-1].mean() > budget.scores[0].mean()
    shown = pictures(task.windows.samples[:20], task.learner.plan)
    net = found.trained.net
    np.testing.assert_allclose(scores(net, features(net, shown)), predict(net, shown)[0], atol=1e-4)


def test_the_report_says_what_was_measured(task: Task, found: Finetuned) -> None:
    report = build_report(task, found)
    page = render(report)
    assert report.group_names == tuple(fold.test[0] for fold in found.trained.folds)
    assert report.rejection is not None
    assert report.rejection.false_alarm == pytest.approx(found.trained.judged.false_alarm)
    assert f"<b>{100 * found.trained.judged.false_alarm:.1f}%</b>" in page
    assert report.calibration is not None
    assert report.calibration.after.error == pytest.approx(found.trained.judged.calibration_error)
    assert report.calibration.after.temperature == found.trained.card.decision.temperature
    assert report.training is None
    assert "Course of training" not in page
    assert dict(report.facts)["Worn"] == "wrist"


def test_gradient_descent_is_in_the_report(corpus: Corpus, tmp_path: Path) -> None:
    for person in PEOPLE:
        write(tmp_path / "four", person, excerpt(corpus, person, CLASSES[:2], seconds=8), subject=person)
    task = made(tmp_path / "four", replace(OPTIONS, tune=4))
    found = finetune(task)
    report = build_report(task, found)
    assert report.training is not None
    assert report.training.steps.tolist() == [1, 2, 3, 4]
    assert report.training.checks.tolist() == [0, 2, 4]
    assert report.training.validation_score is not None
    assert "Course of training" in render(report)
    assert found.trained.card.provenance["gradient_steps"] == 4
    assert found.budget.scores.shape == (len(found.budget.labels), 12)


def test_with_few_labels_the_backbone_stays_frozen(corpus: Corpus, tmp_path: Path) -> None:
    for person in PEOPLE[:2]:
        write(tmp_path / "few", person, excerpt(corpus, person, seconds=4.8), subject=person)
    task = made(tmp_path / "few", replace(OPTIONS, tune=50))
    rarest = int(np.bincount(task.windows.labels).min())
    assert 2 <= rarest <= 5
    assert task.recipe.fit.tune.steps == task.learner.options.tune.steps == 0
    assert task.notices[-1].level == "warning"
    assert f"has {rarest} labelled windows" in task.notices[-1].text
    found = finetune(task)
    assert found.trained.tuning.loss == []
    assert found.budget.labels.tolist() == sorted(set(found.budget.labels.tolist()))
    render(build_report(task, found))


@pytest.mark.parametrize(("rate", "highest"), [(20.0, 10.0), (12.5, 6.0), (25.0, 12.0), (50.0, 15.0)])
def test_a_slow_sensor_has_a_picture_as_high_as_it_can_show(
    folder: Path, rate: float, highest: float
) -> None:
    task = made(folder, replace(OPTIONS, rate=rate))
    seen = task.learner.plan
    assert seen.spec == task.recipe.spec(rate)
    assert (seen.spec.f_max, len(seen.frequencies)) == (highest, 24)
    assert task.window_s == pytest.approx(5, abs=0.1)
    said = [n.text for n in task.notices if f"up to {highest:g} Hz" in n.text]
    assert len(said) == (rate < 30)


def test_recordings_of_a_slow_watch_make_a_model(corpus: Corpus, tmp_path: Path) -> None:
    for person in PEOPLE[:3]:
        lines = excerpt(corpus, person, CLASSES[:2], seconds=12, every=4)
        write(tmp_path / "slow", person, lines, subject=person)
    task = made(tmp_path / "slow", OPTIONS)
    assert task.corpus.rate == 12.5
    card = finetune(task).trained.card
    assert (card.input.rate, card.spectrogram.f_max) == (12.5, 6.0)
    assert card.metrics["leave_subjects_out"]["macro_f1"] > 0.6


@settings(max_examples=40, deadline=None)
@given(
    rate=st.sampled_from([12.5, 20.0, 25.0, 31.25, 50.0, 52.0, 100.0, 119.0]),
    window=st.floats(1.0, 12.0),
    hop=st.floats(0.1, 2.0),
)
def test_windows_last_as_long_as_asked(rate: float, window: float, hop: float) -> None:
    from img2imu_training.finetune import _recipe  # the part that needs no recordings

    corpus = Corpus("c", rate, ACC, ("a", "b"), (), {})
    recipe = _recipe("c", corpus, replace(OPTIONS, window=window, hop=hop))
    seen = recipe.plan(rate)
    column = seen.hop / rate
    lasts = (seen.frame + (recipe.picture.columns - 1) * seen.hop) / rate
    assert window - column - 0.5 / rate <= lasts + 1e-9
    assert lasts <= window + 0.5 / rate + 1e-9
    assert recipe.picture.hop_columns * column == pytest.approx(hop, abs=max(column, 0.5 * column))
    assert 0 < recipe.decision.smoothing < 1


def test_one_persons_sessions_are_held_out_and_the_report_says_so(corpus: Corpus, tmp_path: Path) -> None:
    for session, name in enumerate(PEOPLE[:3]):
        lines = excerpt(corpus, name, CLASSES[:2], seconds=8)
        write(tmp_path / "me", f"day{session}", lines, subject="me", session=f"day{session}")
    task = made(tmp_path / "me", OPTIONS)
    assert task.group == "sessions"
    assert task.corpus.subjects == ("day0", "day1", "day2")
    page = render(build_report(task, finetune(task)))
    assert "Macro-F1 on sessions it never saw" in page
    with pytest.raises(RecordingError, match="no session 'me' to keep out; there are: day0, day1, day2"):
        made(tmp_path / "me", replace(OPTIONS, keep_out=("me",)))


def test_the_window_that_is_proposed_fits(corpus: Corpus, tmp_path: Path) -> None:
    for person in PEOPLE[:2]:
        write(tmp_path / "short", person, excerpt(corpus, person, seconds=3.2), subject=person)
    with pytest.raises(RecordingError, match=r"--window 2\.8 would fit") as caught:
        made(tmp_path / "short", OPTIONS)
    assert "'pendulum' (at most 3.2 s)" in str(caught.value)
    task = made(tmp_path / "short", replace(OPTIONS, window=2.8, hop=0.1))
    assert set(task.windows.labels) == {0, 1, 2}
    assert task.recipe.picture.scale == pytest.approx(0.56)
    assert not any("5 s" in notice.text for notice in task.notices)


def test_groups_are_chosen_so_that_the_others_know_every_class(corpus: Corpus, tmp_path: Path) -> None:
    """Only two of six people did the third exercise; in one group, nobody could learn it."""
    for person in ("01", "02", "03", "04", "05", "06"):
        mine = CLASSES if person in ("01", "02") else CLASSES[:2]
        write(tmp_path / "rare", person, excerpt(corpus, person, mine, seconds=8), subject=person)
    for seed in range(8):
        task = made(tmp_path / "rare", replace(OPTIONS, seed=seed))
        folds = task.recipe.evaluation.folds
        assert 5 <= folds <= 6


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"keep_out": ("eve",)}, RecordingError, "no person 'eve' to keep out; there are: 01, 02, 03, 04"),
        ({"keep_out": PEOPLE[:3]}, RecordingError, "04 is left; it takes two"),
        ({"sensors": "acc+gyr"}, RecordingError, "no gyroscope"),
        ({"base": "huge"}, ModelError, "there is no base huge"),
        ({"base": "untrained:huge"}, ModelError, "there are: tiny, small, resnet18"),
        ({"window": 30.0}, RecordingError, "no labelled stretch fills a window of 30 s"),
        ({"rate": 1.5}, RecordingError, "record at a higher rate"),
        ({"rate": -3.0}, RecordingError, "give one above 0"),
        ({"window": 0.1}, TrainingError, "not between 0.5 and 60 s"),
        ({"hop": 0.0}, TrainingError, "not between 0.02 and 60 s"),
        ({"false_alarm": 1.0}, TrainingError, "not between 0 and 1"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(
    folder: Path, change: dict[str, object], error: type[Img2ImuError], message: str
) -> None:
    with pytest.raises(error, match=message):
        made(folder, replace(OPTIONS, **change))  # type: ignore[arg-type]


def test_it_is_said_what_hides_a_class(corpus: Corpus, tmp_path: Path) -> None:
    """Not its length: who alone does it is kept out, or the hop is longer than what there is of it."""
    for person in PEOPLE[:3]:
        mine = CLASSES if person == "01" else CLASSES[:2]
        write(tmp_path / "sole", person, excerpt(corpus, person, mine), subject=person)
    with pytest.raises(
        RecordingError, match="sole has nobody left who does 'trapezius_row'; keep out somebody"
    ):
        made(tmp_path / "sole", replace(OPTIONS, keep_out=("01",)))
    with pytest.raises(RecordingError, match=r"a --hop of 60 s passes over .*; take a shorter one"):
        made(tmp_path / "sole", replace(OPTIONS, hop=60.0))


def test_recordings_that_cannot_be_learned_from_are_refused(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"there are no recordings at .*nowhere; give a folder"):
        made(tmp_path / "nowhere", OPTIONS)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordingError, match=r"has no \.csv recordings"):
        made(tmp_path / "empty", OPTIONS)
    for person in PEOPLE[:2]:
        write(tmp_path / "one", person, excerpt(corpus, person, CLASSES[:1]), subject=person)
    with pytest.raises(
        RecordingError, match="one class only, 'bent_over_row'; a classifier needs at least two"
    ):
        made(tmp_path / "one", OPTIONS)
    write(tmp_path / "own", "a", excerpt(corpus, "01", CLASSES[:2]), subject="ann")
    write(tmp_path / "own", "b", excerpt(corpus, "02", CLASSES[:2]), subject="bob")
    lines = excerpt(corpus, "02", CLASSES[2:], seconds=5)
    write(tmp_path / "own", "c", lines, subject="bob")
    with pytest.raises(
        RecordingError, match=r"'trapezius_row' \(1 window of bob\).*shorter --window, record it in one more"
    ):
        made(tmp_path / "own", OPTIONS)
    (tmp_path / "bad.safetensors").write_bytes(b"not a backbone")
    (tmp_path / "own" / "c.csv").unlink()
    with pytest.raises(ModelError, match="not a pre-trained backbone that can be read"):
        made(tmp_path / "own", replace(OPTIONS, base=str(tmp_path / "bad.safetensors")))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "model.onnx"), "a trained model is a .safetensors file"),
        (("-o", "{}/of-01.csv/model.safetensors"), "cannot write"),
        (("-o", "/proc/model.safetensors"), "cannot write /proc"),
        (("-o", "{}/../m.safetensors", "--report", "{}"), "is a folder; name a file in it with --report"),
    ],
)
def test_where_nothing_can_be_written_nothing_is_trained(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    filled = [argument.format(folder) for argument in arguments]
    result = CliRunner().invoke(app, [str(folder), "--base", "untrained:tiny", *filled])
    assert isinstance(result.exception, TrainingError)
    assert message in str(result.exception)


def test_an_interruption_leaves_nothing_behind(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    # A shell that starts the suite in the background has Ctrl-C ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(1.5, _thread.interrupt_main)  # while the metric is fitted
    try:
        timer.start()
        result = CliRunner().invoke(app, [str(folder), "--base", "untrained:tiny", "-o", str(out)])
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert result.exit_code == 130
    assert "stopped; nothing was written" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_errors_of_the_command_are_one_line(img2imu: Run, tmp_path: Path) -> None:
    done = img2imu("finetune", tmp_path / "nowhere", "-o", tmp_path / "m.safetensors")
    assert done.returncode == 1
    assert done.stderr.startswith("error: there are no recordings at")
    assert "Traceback" not in done.stderr


def test_spar_needs_no_files(corpus: Corpus) -> None:
    found, notices = gather("spar", replace(OPTIONS, rate=25.0))
    assert found.rate == 25.0
    assert found.classes == spar.CLASSES == corpus.classes
    assert "from 50 to 25 Hz" in notices[0].text
    assert len(evaluation_windows(made("spar", OPTIONS).recipe, corpus.only(ACC))) == 8436
