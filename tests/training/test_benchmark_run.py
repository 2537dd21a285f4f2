"""The benchmark's runner: real methods on real recordings, interrupted, resumed, in error and in parallel."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from img2imu_training.benchmark.cli import app
from img2imu_training.benchmark.methods.registry import METHODS, Surroundings, find_method, runs_on
from img2imu_training.benchmark.results import Result, ResultsFile, read_results
from img2imu_training.benchmark.run import Benchmark, plan, run
from img2imu_training.benchmark.tasks import find_tasks
from typer.testing import CliRunner

from img2imu_edge.errors import BenchmarkError, TrainingError
from img2imu_edge.spec import SpectrogramSpec

RESULT = Result("spar", "a method", "classical", 3, 5, 0, 0.75, 1.5, 35, 900, {"numpy": "2"})
LINEAR, ROWS = "hand-crafted + logistic regression", "picture's rows + logistic regression"


def benchmark(folder: Path, *methods: str, tasks: tuple[str, ...] = ("spar",), seeds: int = 1) -> Benchmark:
    return Benchmark(find_tasks(tasks), methods, (1, 5), tuple(range(seeds)), folder, folder / "cache")


def test_seeds_are_outermost_and_no_method_meets_what_it_learned_from(tmp_path: Path) -> None:
    compared = benchmark(tmp_path, "simclr-har", "row-logistic", tasks=("spar", "motionsense"), seeds=2)
    order = [(group.seed, group.task.name, group.method) for group in plan(compared, set())]
    assert order == [
        (seed, task, method)
        for seed in (0, 1)
        for task, method in (
            ("spar", "simclr-har"),
            ("spar", "row-logistic"),
            ("motionsense", "row-logistic"),
        )
    ]


def test_a_run_goes_on_where_it_was_and_past_a_method_in_error(tmp_path: Path) -> None:
    compared = benchmark(tmp_path, "simclr-har", "row-logistic", "hand-crafted-linear")
    file = ResultsFile(tmp_path / "results.jsonl")
    groups = plan(compared, set(file.done))
    begun = run(groups, file)
    for _ in range(3):  # both budgets of the method in error, and one of the next
        next(begun)
    begun.close()
    with file.path.open("a") as unfinished:
        unfinished.write('{"task": "spar", "method": "pict')

    resumed = ResultsFile(file.path)
    left = plan(compared, set(resumed.done))
    assert [(group.method, group.budgets) for group in left] == [
        ("simclr-har", (1, 5)),  # an error is tried again
        ("row-logistic", (5,)),
        ("hand-crafted-linear", (1, 5)),
    ]
    made = list(run(left, resumed))
    results = read_results(file.path)
    assert len(results) == 6
    failed = [result for result in results.values() if result.error]
    assert {result.family for result in failed} == {"sensor"}
    assert all("motionsense.npz" in str(result.error) and result.macro_f1 is None for result in failed)
    scores = {(r.method, r.budget): r.macro_f1 for r in results.values() if r.macro_f1 is not None}
    assert set(scores) == {(name, budget) for name in (LINEAR, ROWS) for budget in (1, 5)}
    assert all(0.3 < score < 1 for score in scores.values())
    assert [result.train_windows for result in made if result.method == LINEAR] == [7, 35]

    parallel = ResultsFile(tmp_path / "parallel.jsonl")
    again = list(run(plan(benchmark(tmp_path, "row-logistic"), set()), parallel, jobs=2))
    assert {(r.method, r.budget): r.macro_f1 for r in again} == {
        key: score for key, score in scores.items() if key[0] == ROWS
    }


def test_results_survive_writing_and_reading(tmp_path: Path) -> None:
    file = ResultsFile(tmp_path / "new" / "results.jsonl")
    failed = dataclasses.replace(RESULT, budget=None, macro_f1=None, error="Oh: “no”")
    file.append(RESULT)
    file.append(failed)
    assert read_results(file.path) == {RESULT.key: RESULT, failed.key: failed}
    assert set(ResultsFile(file.path).done) == {RESULT.key}
    mended = dataclasses.replace(failed, macro_f1=0.5, error=None)
    file.append(mended)
    assert read_results(file.path)[mended.key] == mended


@pytest.mark.parametrize("cut", [1, 40, 300])
def test_a_half_written_line_is_taken_off(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "results.jsonl"
    whole = json.dumps(dataclasses.asdict(RESULT)) + "\n"
    path.write_text(whole + whole[:cut].rstrip("\n"))
    assert set(ResultsFile(path).done) == {RESULT.key}
    assert path.read_text() == whole


def test_a_line_that_is_no_result_is_named(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps(dataclasses.asdict(RESULT)) + '\n{"task": 3}\n')
    with pytest.raises(BenchmarkError, match="line 2 is not a result"):
        read_results(path)
    with pytest.raises(BenchmarkError, match="run the benchmark first"):
        read_results(tmp_path / "nothing.jsonl")


def test_methods_by_name(tmp_path: Path) -> None:
    around = Surroundings(SpectrogramSpec.preset("motion"), tmp_path, tmp_path)
    here = [name for name in METHODS if name not in ("ours", "scratch")]
    methods = [find_method(name, around) for name in here]
    assert len({method.name for method in methods}) == len(here)
    assert not runs_on("cpc-har-tuned", "motionsense")
    assert runs_on("cpc-har-tuned", "spar")
    with pytest.raises(BenchmarkError, match="no method is called 'magic'; there are: ours"):
        find_method("magic", around)
    with pytest.raises(BenchmarkError, match="minirocket starts from no base"):
        find_method("minirocket=some.safetensors", around)
    with pytest.raises(BenchmarkError, match="is not there; make it"):
        find_method("ours=some.safetensors", around)
    with pytest.raises(BenchmarkError, match="say --data"):
        find_method("simclr-har", dataclasses.replace(around, data=None))


def test_the_command_runs_tells_and_resumes(tmp_path: Path) -> None:
    results, report = tmp_path / "r.jsonl", tmp_path / "report"
    line = ["few-label", "--tasks", "spar", "--methods", "row-logistic", "--budgets", "2,all"]
    line += ["--seeds", "1", "--results", str(results), "--report", str(report)]
    done = CliRunner().invoke(app, line, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert {result.budget for result in read_results(results).values()} == {2, None}
    before = results.read_bytes()
    assert {path.name for path in report.iterdir()} == {"few-label.md", "few-label.svg", "few-label.png"}
    assert "## 2 labelled windows per class" in (report / "few-label.md").read_text()
    CliRunner().invoke(app, line[:-2], catch_exceptions=False)
    assert results.read_bytes() == before


@pytest.mark.parametrize("budgets", ["0", "ten", "-1"])
def test_a_budget_is_a_number_or_all(budgets: str) -> None:
    done = CliRunner().invoke(app, ["few-label", "--budgets", budgets])
    assert done.exit_code == 2
    assert "numbers from 1" in done.output


@pytest.mark.parametrize("option", ["--results", "--report"])
def test_where_nothing_can_be_written_nothing_is_measured(option: str) -> None:
    done = CliRunner().invoke(app, ["few-label", "--tasks", "spar", option, "/proc/none/of/it"])
    assert isinstance(done.exception, TrainingError)
    assert f"choose another place with {option}" in str(done.exception)
