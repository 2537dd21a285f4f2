"""Results: one JSON line each, appended as they come, so that a run can be stopped and resumed anywhere."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from img2imu_edge.errors import BenchmarkError
from img2imu_edge.strict import StrictError, from_json
from img2imu_training.benchmark.methods import Family

Key = tuple[str, str, int, int | None, int]


@dataclass(frozen=True, slots=True)
class Result:
    """What one method reached on one split, or why it could not.

    Attributes:
        task: Name of the task.
        method: Name of the method.
        family: What the method starts from.
        axes: 3, or 6 with the gyroscope.
        budget: Labelled windows of each class; null for all.
        seed: Of the split and of the method.
        macro_f1: From 0 to 1; null after an error.
        seconds: That learning and classifying took, without what is prepared once.
        train_windows: Labelled windows.
        test_windows: Windows that were classified.
        versions: Of the packages that numbers depend on.
        error: What went wrong.
    """

    task: str
    method: str
    family: Family
    axes: int
    budget: int | None
    seed: int
    macro_f1: float | None
    seconds: float
    train_windows: int
    test_windows: int
    versions: dict[str, str]
    error: str | None = None

    @property
    def key(self) -> Key:
        """What was measured; a file has one result for each."""
        return self.task, self.method, self.axes, self.budget, self.seed


def read_results(path: Path) -> dict[Key, Result]:
    """The results of a file; the latest of each key. A last line that was not written to its end is left out.

    Raises:
        BenchmarkError: If there is no file, or another line is not a result.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be read: {error.strerror}; run the benchmark first") from error
    results = {}
    for number, line in enumerate(text[: text.rfind(b"\n") + 1].splitlines(), start=1):
        try:
            result = from_json(Result, json.loads(line))
        except (ValueError, StrictError) as error:
            raise BenchmarkError(f"{path}, line {number} is not a result: {error}; delete it") from error
        results[result.key] = result
    return results


class ResultsFile:
    """A file that results are appended to.

    Args:
        path: JSON lines; made when missing. A half-written last line, left by a run that was cut short, is
            taken off.

    Attributes:
        done: Results with a score that the file has.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        with path.open("r+b") as file:
            text = file.read()
            file.truncate(text.rfind(b"\n") + 1)
        self.done = {key: result for key, result in read_results(path).items() if result.error is None}

    def append(self, result: Result) -> None:
        """Write a result, at once and as a whole."""
        line = json.dumps(dataclasses.asdict(result), ensure_ascii=False) + "\n"
        with self.path.open("ab", buffering=0) as file:
            file.write(line.encode())
        if result.error is None:
            self.done[result.key] = result
