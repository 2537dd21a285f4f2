"""What is said of results: means within draws, paired differences, tables and curves."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from img2imu_training.benchmark.curves import COLOURS, choose, positions
from img2imu_training.benchmark.labels import spread_out
from img2imu_training.benchmark.methods import Family
from img2imu_training.benchmark.plots import draw, save_curves
from img2imu_training.benchmark.report import write_report
from img2imu_training.benchmark.results import Result, ResultsFile
from img2imu_training.benchmark.summary import summarise
from img2imu_training.benchmark.tables import difference_table, score_table, tables

from img2imu_edge.errors import BenchmarkError

METHODS: dict[str, tuple[Family, float]] = {
    "ours, tuned": ("ours", 0.10),
    "a plain network": ("scratch", -0.1),
    "photographs": ("images", -0.05),
    "forest": ("classical", 0.0),
    "ridge": ("classical", -0.02),
    "wrists": ("sensor", -0.08),
    "pockets": ("sensor", -0.09),
}
TASKS = ("spar", "swimming", "motionsense")


def result(task: str, method: str, seed: int, score: float | None, budget: int | None = 5) -> Result:
    return Result(task, method, METHODS[method][0], 3, budget, seed, score, 1.0, 10, 100, {})


def results(budgets: tuple[int | None, ...] = (1, 5, None)) -> list[Result]:
    """Draws are harder or easier for all; methods keep their distance. Sensors never meet motionsense."""
    rng = np.random.default_rng(0)
    made = []
    for seed in range(4):
        for task in TASKS:
            luck = rng.normal(0, 0.1)
            for budget in budgets:
                for method, (family, ahead) in METHODS.items():
                    if family != "sensor" or task != "motionsense":
                        level = 0.5 + 0.02 * (budget or 10) + luck + ahead
                        made.append(result(task, method, seed, float(np.clip(level, 0, 1)), budget))
    return made


def test_means_are_taken_within_draws_first() -> None:
    made = [result("spar", "forest", 0, 0.2), result("spar", "forest", 1, 0.8)]
    made += [result("swimming", "forest", 0, 0.8), result("swimming", "forest", 1, 0.2)]
    (scores,) = summarise(made)
    mean = scores.over(0, scores.tasks)
    assert mean is not None
    assert (mean.mean, mean.spread, mean.seeds) == pytest.approx((0.5, 0.0, 2))
    alone = scores.over(0, ("spar",))
    assert alone is not None
    assert alone.spread == pytest.approx(np.std([0.2, 0.8], ddof=1))


def test_a_draw_that_lacks_a_task_has_no_mean() -> None:
    made = [result("spar", "forest", 0, 0.2), result("spar", "forest", 1, 0.8)]
    made += [result("swimming", "forest", 0, 0.4), result("swimming", "forest", 1, None)]
    (scores,) = summarise(made)
    mean = scores.over(0, scores.tasks)
    assert mean is not None
    assert (mean.mean, mean.seeds) == (pytest.approx(0.3), 1)
    assert "(1)" in score_table(scores)


def test_differences_are_paired_so_that_luck_cancels() -> None:
    (scores,) = summarise(results((5,)))
    ours, forest = scores.methods.index("ours, tuned"), scores.methods.index("forest")
    ahead = scores.difference(ours, forest)
    assert ahead is not None
    assert ahead.mean == pytest.approx(0.1)
    assert (ahead.low, ahead.high) == pytest.approx((0.1, 0.1))
    assert (ahead.wins, ahead.pairs) == (12, 12)
    back = scores.difference(forest, ours)
    assert back is not None
    assert (back.mean, back.wins) == (pytest.approx(-0.1), 0)


def test_the_interval_of_a_difference_is_that_of_a_mean() -> None:
    rng = np.random.default_rng(1)
    made = []
    for seed in range(100):
        made.append(result("spar", "forest", seed, 0.5))
        made.append(result("spar", "ridge", seed, float(0.5 + rng.normal(0.05, 0.1))))
    (scores,) = summarise(made)
    ahead = scores.difference(scores.methods.index("ridge"), scores.methods.index("forest"))
    assert ahead is not None
    assert ahead.high - ahead.low == pytest.approx(2 * 1.96 * 0.1 / 10, rel=0.2)
    assert ahead.low < ahead.mean < ahead.high


def test_the_table_has_a_second_mean_where_a_method_lacks_a_task() -> None:
    (scores,) = summarise(results((5,)))
    header, _, *rows = score_table(scores).splitlines()
    assert header.endswith("| **mean** | **mean** without motionsense |")
    by_method = {row.split(" | ")[0].strip("| *"): row for row in rows}
    assert set(by_method) == set(METHODS)
    assert " – | – | " in by_method["wrists"]
    best = by_method["ours, tuned"]
    assert best.count("**") == 2 + 2 * 5  # its name, three tasks and two means
    assert all("**" not in row for name, row in by_method.items() if name != "ours, tuned")
    assert rows[0] == best


def test_ours_is_compared_with_the_best_of_each_family() -> None:
    (scores,) = summarise(results((5,)))
    lines = difference_table(scores).splitlines()[2:]
    assert [line.split(" | ")[1] for line in lines] == [
        "a plain network (no pre-training)",
        "photographs (labelled images)",
        "wrists (other sensors)",
        "forest (classical)",
    ]
    assert "| +18.0 | +18.0 to +18.0 | 8 of 8 |" in lines[2]
    assert difference_table(summarise([result("spar", "forest", 0, 0.5)])[0]) == ""


def test_the_page_has_a_table_for_each_budget_smallest_first() -> None:
    titles = [line for line in tables(summarise(results())).splitlines() if line.startswith("## ")]
    assert titles == [
        "## 1 labelled window per class",
        "## 5 labelled windows per class",
        "## All labelled windows",
    ]


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(1, 12)), min_size=1, max_size=8),
)
def test_labels_never_overlap_and_stay_in_order(labels: list[tuple[float, float]]) -> None:
    labels.sort()
    wanted, heights = zip(*labels, strict=True)
    places = spread_out(wanted, heights, 0, 100)
    for number in range(len(places) - 1):
        gap = places[number + 1] - places[number]
        assert gap >= (heights[number] + heights[number + 1]) / 2 - 1e-9
    if sum(heights) <= 100:
        assert places[0] - heights[0] / 2 >= -1e-9
        assert places[-1] + heights[-1] / 2 <= 100 + 1e-9


def test_labels_with_room_stay_where_they_are_wanted() -> None:
    assert spread_out([20, 50, 80], [10, 10, 10], 0, 100) == pytest.approx([20, 50, 80])


def test_all_labels_stand_apart_from_the_numbers() -> None:
    places = positions([1, 2, 4, None])
    assert np.diff(places)[:2] == pytest.approx([1, 1])
    assert np.diff(places)[2] > 1.2


def test_the_best_of_each_family_is_named_and_ours_always() -> None:
    curves = {curve.name: curve for curve in choose(summarise(results()))}
    assert {name for name, curve in curves.items() if not curve.named} == {"ridge", "pockets"}
    assert curves["forest"].colour == COLOURS["classical"]
    assert curves["ridge"].colour != COLOURS["classical"]


def test_the_figure_names_its_lines_and_every_task() -> None:
    main = "mean of 2 tasks, without motionsense"
    panels = {axes.get_title(loc="left"): axes for axes in draw(summarise(results())).axes}
    assert set(panels) == {*TASKS, main}
    written = {" ".join(text.get_text().split()) for text in panels[main].texts}
    assert written == {"ours, tuned", "a plain network", "photographs", "forest", "wrists"}
    assert [label.get_text() for label in panels["spar"].get_xticklabels()] == ["1", "5", "all"]


def test_one_task_and_one_seed_make_a_figure_too() -> None:
    (axes,) = draw(summarise([result("spar", "forest", 0, 0.5, 1)])).axes
    assert axes.get_title(loc="left") == "spar"


def test_the_same_results_give_the_same_files(tmp_path: Path) -> None:
    first, again = (save_curves(summarise(results()), tmp_path / name) for name in ("a", "b"))
    assert first[0].read_bytes() == again[0].read_bytes()
    assert ElementTree.parse(first[0]).getroot().tag.endswith("svg")  # noqa: S314
    assert first[1].read_bytes().startswith(b"\x89PNG")


def test_a_report_needs_scores(tmp_path: Path) -> None:
    file = ResultsFile(tmp_path / "results.jsonl")
    file.append(result("spar", "forest", 0, None))
    with pytest.raises(BenchmarkError, match="no scores with 3 axes"):
        write_report(file.path, tmp_path / "report")
