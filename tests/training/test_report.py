"""The report: its numbers, its advice, and that the page is whole, safe and needs nothing else."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from img2imu_training.calibrate import expected_calibration_error
from img2imu_training.checks import Notice
from img2imu_training.recipe import Recipe
from img2imu_training.recordings import Corpus
from img2imu_training.report.advice import advise, confused, gaining, slope
from img2imu_training.report.charts import shortened
from img2imu_training.report.contents import (
    Budget,
    Calibration,
    Example,
    PictureAxes,
    Rejection,
    Report,
    TrainingCurve,
)
from img2imu_training.report.measures import choose_examples, confusion, per_class, reliability
from img2imu_training.report.pictures import png
from img2imu_training.report.render import render, write
from img2imu_training.report.svg import element, ticks
from img2imu_training.windows import cut, pictures, window_samples
from PIL import Image
from sklearn.metrics import precision_recall_fscore_support

VOID = {"meta", "br", "wbr", "link", "img", "input", "hr"}
AXES = PictureAxes(np.geomspace(0.3, 15, 28), level_rows=4, frame_s=2.56, hop_s=0.08)


class Page(HTMLParser):
    """Collects the text and every attribute, and sees to it that tags close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not (self.open and self.open[-1] == "style"):
            self.text.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.text))


def checked(report: Report) -> Page:
    """The page, after the checks that hold for every report."""
    html = render(report)
    page = Page(html)
    assert page.open == []
    assert "://" not in html
    assert "url(" not in html
    assert not {"script", "link", "iframe"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:")
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        assert set((attributes.get("aria-labelledby") or "").split()) <= set(ids)
    assert "nan" not in re.findall(
        r"[a-z]+", re.sub(r"<style>.*?</style>|base64,[^\"]*", "", html, flags=re.S)
    )
    return page


def made(classes: tuple[str, ...], *, full: bool = True, sensors: int = 1) -> Report:
    """A report with numbers of no meaning."""
    rng = np.random.default_rng(0)
    n = len(classes)
    counts = np.diag(rng.integers(50, 90, n)) + rng.integers(0, 4, (n, n))
    report = Report("Strokes", (("People", "9"),), classes, counts, np.array([0.8, 0.7]), ("ann", "bob, cat"))
    if not full:
        return report
    logits = rng.normal(0, 2, (300, n)).astype(np.float32)
    labels = np.where(rng.random(300) < 0.7, logits.argmax(axis=1), rng.integers(0, n, 300))
    shown = rng.random((300, 3, AXES.rows * sensors, 32)).astype(np.float32)
    steps = np.arange(1, 301)
    checks = np.arange(50, 301, 50)
    return replace(
        report,
        notices=(Notice("warning", "a <warning>"), Notice("note", "a note")),
        examples=choose_examples(shown, labels, logits, 1.0, np.array(["p", "q", "r"] * 100)),
        axes=AXES,
        calibration=Calibration(reliability(logits, labels, 1.7), reliability(logits, labels)),
        rejection=Rejection((rng.gamma(9, 0.1, 100), rng.gamma(9, 0.1, 80)), 1.4, rng.gamma(20, 0.1, 50)),
        budget=Budget(np.array([1, 5, 20]), np.sort(rng.random((3, 4)), axis=0), rng.random((3, n))),
        training=TrainingCurve(
            steps, np.exp(-steps / 90), checks, np.exp(-checks / 99), 1 - np.exp(-checks / 50), 250
        ),
        date="1 May 2026",
    )


@pytest.mark.parametrize("n", [2, 7, 20])
@pytest.mark.parametrize("full", [True, False])
def test_the_page_is_whole_and_needs_nothing_else(n: int, full: bool) -> None:
    classes = tuple(f"class number {i} of a rather long name" for i in range(n))
    page = checked(made(classes, full=full))
    for name in classes:
        assert name in page.words
    assert "0.75 ± 0.07" in page.words
    assert "What to do next" in page.words
    headings = ("About the data", "What the network saw", "Can it be trusted?", "Would more labels help?")
    for heading in headings:
        assert (heading in page.words) == full


@pytest.mark.parametrize(
    "part", ["examples", "calibration", "rejection", "budget", "training", "notices", "date"]
)
def test_every_part_may_be_missing(part: str) -> None:
    empty: object = () if part in ("examples", "notices") else None
    checked(replace(made(("a", "b", "c")), **{part: empty}))


def test_names_are_escaped_wherever_they_stand() -> None:
    evil = '<b>"bold"</b> & <script>alert(1)</script>'
    report = replace(
        made((evil, "b", evil + "2"), sensors=2),
        title=evil,
        facts=((evil, evil),),
        group_names=(evil, evil),
        notices=(Notice("note", evil),),
    )
    report = replace(report, examples=tuple(replace(e, subject=evil) for e in report.examples))
    page = checked(report)
    assert "<script>alert" not in render(report)
    assert page.words.count(evil) > 10


def test_the_numbers_are_on_the_page() -> None:
    counts = np.array([[90, 10], [30, 70]])
    report = Report("Walk", (("Windows", "200"),), ("walk", "rest"), counts, np.array([0.5, 0.9]), ("x", "y"))
    rejection = Rejection((np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.0])), 2.5)
    words = checked(replace(report, rejection=rejection)).words
    assert "0.70 ± 0.28" in words
    assert "80% of the 200 held-out windows" in words
    assert re.search(r"walk ?0\.82 ?75% ?90% ?100", words)
    assert re.search(r"rest ?0\.78 ?88% ?70% ?100", words)
    assert "loses 33.3% (0.0 to 50.0% across" in words


def test_the_same_contents_give_the_same_bytes(tmp_path: Path) -> None:
    report = made(("a", "b", "c"))
    write(report, tmp_path / "new" / "one.html")
    write(report, tmp_path / "two.html")
    assert (tmp_path / "new" / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_what_does_not_fit_is_refused() -> None:
    report = made(("a", "b"))
    with pytest.raises(ValueError, match="do not fit a confusion matrix"):
        replace(report, classes=("a", "b", "c"))
    with pytest.raises(ValueError, match="do not fit 1 groups"):
        replace(report, group_names=("all",))
    with pytest.raises(ValueError, match="need the axes"):
        replace(report, axes=None)
    with pytest.raises(ValueError, match="rejects nothing"):
        Rejection((np.ones(3),), float("inf"))
    with pytest.raises(ValueError, match="needs distances"):
        Rejection((np.ones(3), np.ones(0)), 1.0)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_scores_of_each_class_are_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    labels, predicted = np.array(pairs, np.int64).T
    counts = confusion(labels, predicted, 5)
    assert counts.sum() == len(pairs)
    found = per_class(counts)
    expected = precision_recall_fscore_support(labels, predicted, labels=range(5), zero_division=0)
    for ours, theirs in zip((found.precision, found.recall, found.f1, found.support), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_reliability_adds_up_to_the_calibration_error() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 2, (500, 4)).astype(np.float32)
    labels = rng.integers(0, 4, 500)
    found = reliability(logits, labels, 1.5)
    assert found.count.sum() == 500
    filled = found.count > 0
    gaps = np.abs(found.confidence - found.accuracy)[filled] @ found.count[filled] / 500
    assert gaps == pytest.approx(found.error)
    assert found.error == pytest.approx(expected_calibration_error(logits, labels, 1.5))
    assert np.isnan(found.accuracy[~filled]).all()


def test_examples_are_typical_ones_and_the_surest_mistakes_of_different_people() -> None:
    logits = np.zeros((10, 2), np.float32)
    logits[:, 0] = [9, 8, 7, 6, 5, -9, -8, -7, 1, 1]
    labels = np.array([0] * 8 + [1, 1])
    subjects = np.array(["p", "p", "p", "p", "p", "q", "q", "r", "s", "s"])
    marks = np.arange(10, dtype=np.float32)
    shown = np.broadcast_to(marks[:, None, None, None], (10, 3, 2, 2))
    chosen = choose_examples(shown, labels, logits, subjects=subjects)
    assert [int(e.picture[0, 0, 0]) for e in chosen] == [0, 4, 5, 7, 8, 9]
    assert [e.said for e in chosen] == [0, 0, 1, 1, 0, 0]
    assert [e.truth for e in chosen] == [0, 0, 0, 0, 1, 1]


def test_advice_rests_on_the_numbers() -> None:
    counts = np.array([[95, 5, 0], [2, 60, 38], [0, 12, 88]])
    names = tuple("uvwxyz")
    report = Report("R", (), ("sit", "walk", "run"), counts, np.array([0.9, 0.6, 0.8, 0.8, 0.8, 0.8]), names)
    texts = [f"{item.title}: {item.text}" for item in advise(report)]
    assert texts[0].startswith("Record more of “walk”: Only 60% of its 100 windows")
    assert "38% were taken for “run”" in texts[0]
    assert texts[1].startswith("Tell “walk” and “run” apart: 38%")
    assert "12% the other way" in texts[1]
    assert "“v” got 0.60" in texts[2]
    assert [(p.truth, p.said) for p in confused(report)] == [(1, 2), (2, 1)]
    fine = replace(report, confusion=np.eye(3, dtype=np.int64) * 50, scores=np.full(6, 0.99))
    assert [item.title for item in advise(fine)] == ["Put it to the test"]
    absent = replace(fine, confusion=np.diag([50, 50, 0]))
    assert "shows “run”" in advise(absent)[0].text


def test_a_step_of_less_than_a_doubling_says_nothing_of_one() -> None:
    """From 10 to 11 windows 0.01 more by luck would be 0.07 for each doubling."""
    scores = np.array([[0.5], [0.8], [0.9], [0.9], [0.91]])
    budget = Budget(np.array([1, 2, 5, 10, 11]), scores)
    assert slope(budget) == pytest.approx(0.01 / np.log2(11 / 5))
    report = replace(made(("sit", "walk"), full=False), budget=budget)
    assert any(item.text.startswith("From 5 to 11 windows") for item in advise(report))
    assert slope(Budget(np.array([2, 3]), scores[:2])) == pytest.approx(0.3 / np.log2(1.5))


def test_a_budget_says_whether_more_labels_help() -> None:
    by_class = np.array([[0.2, 0.4], [0.5, 0.5], [0.6, 0.8]])
    rising = Budget(np.array([1, 5, 20]), np.array([[0.3], [0.5], [0.7]]), by_class)
    assert slope(rising) == pytest.approx(0.1)
    assert gaining(rising) == 1
    report = replace(made(("sit", "walk"), full=False), budget=rising)
    assert any("+0.10 macro-F1; “walk” gains most" in item.text for item in advise(report))
    flat = replace(rising, scores=np.array([[0.3], [0.7], [0.7]]))
    titles = [item.title for item in advise(replace(report, budget=flat))]
    assert "More labels of the same kind will not help" in titles
    falling = replace(rising, scores=np.array([[0.3], [0.7], [0.699]]))
    said = " ".join(item.text for item in advise(replace(report, budget=falling)))
    assert "changed by +0.00 for each doubling" in said
    checked(replace(report, budget=Budget(np.array([5]), np.array([[0.5]]), np.array([[0.5, 0.5]]))))


def test_a_picture_stands_upright_with_square_cells() -> None:
    picture = np.zeros((3, 8, 4), np.float32)
    picture[0, 0, 1] = 1  # x, lowest row, second column
    image = Image.open(io.BytesIO(base64.b64decode(png(picture, 5).partition(",")[2])))
    assert image.size == (20, 40)
    pixels = np.asarray(image)
    assert (pixels[35:, 5:10] == [255, 0, 0]).all()
    assert pixels.sum() == 25 * 255


def test_real_windows_can_be_shown(corpus: Corpus, recipe: Recipe) -> None:
    plan = recipe.plan(corpus.rate)
    windows = cut(corpus.of(("01",)), window_samples(plan, recipe.picture.columns), 500)
    shown = pictures(windows.samples, plan)
    axes = PictureAxes(plan.frequencies, plan.spec.level_rows, plan.spec.frame_s, plan.spec.hop_s)
    logits = np.eye(7, dtype=np.float32)[windows.labels] * 4
    counts = confusion(windows.labels, logits.argmax(axis=1), 7)
    examples = choose_examples(shown, windows.labels, logits)
    report = Report("SPAR", (), corpus.classes, counts, np.ones(1), ("01",), examples=examples, axes=axes)
    page = checked(report)
    images = [attributes for tag, attributes in page.tags if tag == "image"]
    assert len(images) == 1 + len(examples)
    assert "rotation" in page.words
    assert "gravity’s direction" in page.words
    assert isinstance(examples[0], Example)


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e4))
def test_ticks_are_round_and_within(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 1 <= len(found) <= 8
    tolerance = 1e-6 * span + 1e-9
    assert all(low - tolerance <= tick <= low + span + tolerance for tick in found)
    assert len(set(np.round(np.diff(found), 6))) <= 1 or span < 1e-2


def test_elements_escape_what_is_not_markup() -> None:
    inner = element("title", "<&>", class_='a"b', stroke_width=1.04, fill=None)
    assert inner == '<title class="a&#34;b" stroke-width="1">&lt;&amp;&gt;</title>'
    assert element("g", inner) == f"<g>{inner}</g>"


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("walk", "walk"),
        ("a long gesture, number 1", "a long g…umber 1"),
        ("a long gesture, number 2", "a long g…umber 2"),
    ],
)
def test_long_names_of_one_family_stay_apart(name: str, cut: str) -> None:
    assert shortened(name, 16) == cut
