import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from img2imu_edge import Decision, Recording
from img2imu_edge.evaluation import answered, macro_f1, window_labels

PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1, max_size=60)


@given(PAIRS)
def test_macro_f1_is_that_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    truth, predicted = [t for t, _ in pairs], [p for _, p in pairs]
    expected = f1_score(truth, predicted, labels=sorted(set(truth)), average="macro", zero_division=0)
    assert macro_f1(truth, predicted) == pytest.approx(expected)


def test_truth_is_the_label_of_most_of_the_window_and_silence_is_no_answer() -> None:
    labels = np.array(["a"] * 100 + ["b"] * 100 + [""] * 100)
    recording = Recording(
        "r", np.arange(300) / 50, np.zeros((300, 3), np.float32), ("x", "y", "z"), labels, 50.0
    )
    ends = [1.98, 2.5, 3.02, 3.98, 5.5]
    decisions = [Decision(t, "a", 1.0, 1.0, "ok") for t in ends]
    assert window_labels(recording, decisions, 2.0) == ["a", "a", "b", "b", ""]
    decisions[0] = Decision(1.98, None, 0.0, 0.5, "warming_up")
    assert answered(recording, decisions, 2.0) == (["a", "b", "b"], ["a", "a", "a"])
