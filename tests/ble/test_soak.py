"""The soak benchmark in small: a bad link over BLE, every counter wrapping, every sample audited."""

from __future__ import annotations

import json
import subprocess
import sys


def test_minutes_over_a_bad_link_are_right_to_the_sample() -> None:
    command = (sys.executable, "-m", "benchmarks.soak", "--links", "ble", "--rates", "50", "400")
    done = subprocess.run(
        [*command, "--minutes", "2", "--json"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for result in json.loads(done.stdout):
        assert result["faults"] == []
        assert result["made"] == result["received"] + result["lost"] == 120 * result["rate"]
        assert result["wrong"] == result["unflagged"] == 0
        assert result["reconnects"] >= 6
        assert result["duplicates"] > 0
        assert result["number_wraps"] > 0
        assert result["clock_wraps"] > 0
