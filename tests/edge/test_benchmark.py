"""What the benchmark's watch counts."""

from __future__ import annotations

import threading
import time

from img2imu_edge.benchmark import timed


def test_the_cpu_of_helper_threads_counts() -> None:
    def helped() -> str:
        helper = threading.Thread(target=burn)
        helper.start()
        helper.join()
        return "done"

    times: dict[str, list[float]] = {}
    assert timed(times, "helped", helped) == "done"
    assert times["helped"][0] >= BURNT_S


BURNT_S = 0.02


def burn() -> None:
    begin = time.thread_time()
    while time.thread_time() - begin < BURNT_S:
        pass
