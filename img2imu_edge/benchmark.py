"""Measurements behind `img2imu bench`: ours against the plain way, taking turns in one run."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import entry_points
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.decision import DecisionMaker
from img2imu_edge.extras import extra
from img2imu_edge.model import load_model
from img2imu_edge.recording import demo_recording, read_recording
from img2imu_edge.resample import Resampler
from img2imu_edge.spectrogram import StreamingSpectrogram, stack

BENCH_MODEL = "shoulder"
PLAIN_MODEL = "shoulder-fp32"

_STARTS = 5
_HOPS = 300
_TURN = 20
_LOOK_S, _MOST_WAIT_S = 0.05, 2.0

T = TypeVar("T")

_IMPORT = "import time; t = time.perf_counter(); import img2imu_edge; print(time.perf_counter() - t)"

_STREAM = """
import asyncio, resource
import img2imu_edge as i2e
async def main():
    async with i2e.open_source(f"replay:{i2e.demo_recording()}?speed=0") as source:
        async for decision in i2e.classify(source, i2e.load_model("shoulder")):
            pass
asyncio.run(main())
with open("/proc/self/status") as status:
    print(next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM")))
"""


def run_benchmarks() -> dict[str, Any]:
    """All measurements, and those that other packages register as `img2imu.benchmarks`.

    Returns:
        `import_s`: median seconds of `import img2imu_edge` in a fresh process; `rss_mb`: largest resident
        memory of a process that streams and classifies the demo's recording; `hop_us`: median microseconds of
        CPU per decision; and what the entry points add.

    Raises:
        MissingExtraError: If SciPy or Pillow, which the plain way uses, are missing.
    """
    result: dict[str, Any] = {
        "import_s": round(float(np.median([float(_python(_IMPORT)) for _ in range(_STARTS)])), 3),
        "rss_mb": round(float(_python(_STREAM)), 1),
        "hop_us": {name: round(value, 1) for name, value in measure_hops().items()},
    }
    for entry in entry_points(group="img2imu.benchmarks"):
        result.update(entry.load()())
    return result


def measure_hops() -> dict[str, float]:
    """Median CPU microseconds per decision of each stage, ours and plain, on the same recording.

    Of all threads: the plain way's engine has helper threads. Each takes turns of several decisions on end.
    """
    model = load_model(BENCH_MODEL)
    spec, plan = model.card.input, model.plan
    recording = read_recording(demo_recording())
    hop = spec.hop_columns * plan.hop
    order = [recording.channels.index(name) for name in spec.channels]
    values = np.ascontiguousarray(recording.values[:, order])
    resampler = Resampler(recording.rate, spec.rate, len(order), model.window_samples / spec.rate)
    stream = StreamingSpectrogram(plan, spec.columns)
    maker = DecisionMaker(model.card.decision, model.card.labels)
    plain_front_end, plain_engine = plain_way(model.engine.input_shape, spec.rate)

    def feed(start: int) -> None:
        part = slice(start, start + hop)
        for segment in resampler.push(recording.times[part], values[part]):
            stream.push(segment.values)

    def front_end(start: int) -> NDArray[np.float32]:
        feed(start)
        return stack(stream.picture())

    first = -(-model.window_samples // hop) * hop
    for start in range(0, first, hop):
        feed(start)
    times: dict[str, list[float]] = {}
    starts = range(first, len(values) - hop, hop)[:_HOPS]
    for turn in (starts[at : at + _TURN] for at in range(0, len(starts), _TURN)):
        pictures = [timed(times, "front_end", partial(front_end, start)) for start in turn]
        outputs = [timed(times, "engine", partial(model.engine.run, picture)) for picture in pictures]
        for output in outputs:
            timed(times, "decision", partial(maker.decide, 0.0, 1.0, *output))
        windows = [values[start + hop - model.window_samples : start + hop] for start in turn]
        plain = [timed(times, "plain_front_end", partial(plain_front_end, window)) for window in windows]
        for picture in plain:
            timed(times, "plain_engine", partial(plain_engine, picture))
        _wait_until_quiet()  # its helper threads go on for a while, and that is not ours
    return {name: float(np.median(taken)) * 1e6 for name, taken in times.items()}


def plain_way(
    shape: tuple[int, ...], rate: float
) -> tuple[Callable[[NDArray[np.float32]], NDArray[np.float32]], Callable[[NDArray[np.float32]], object]]:
    """What one would write first: SciPy for each axis, Pillow to resize, the engine's defaults.

    Args:
        shape: Of the picture to make, (3, rows, columns).
        rate: Of the samples, in Hz.

    Returns:
        A window (samples, axes) to its picture, in frames of 2.56 s every 0.08 s; a picture to what the
        float32 network makes of it.

    Raises:
        MissingExtraError: If SciPy or Pillow are missing.
    """
    with extra("bench", "the plain way"):
        import onnxruntime as ort
        from PIL import Image
        from scipy.signal import spectrogram
    session: Any = ort.InferenceSession(str(load_model(PLAIN_MODEL).path))
    planes, rows, columns = shape
    frame, hop = round(2.56 * rate), max(1, round(0.08 * rate))

    def front_end(window: NDArray[np.float32]) -> NDArray[np.float32]:
        pictures = []
        length = min(frame, 2 * len(window) // 3)
        for axis in window.T:
            _, _, power = spectrogram(axis, rate, window="hann", nperseg=length, noverlap=length - hop)
            decibels = np.log10(power + 1e-12).astype(np.float32)
            scaled = (decibels - decibels.min()) / (np.ptp(decibels) + 1e-9)
            resized = Image.fromarray(scaled).resize((columns, rows * planes // window.shape[1]))
            pictures.append(np.asarray(resized))
        return stack(np.stack(pictures))

    def engine(picture: NDArray[np.float32]) -> object:
        return session.run(None, {"picture": picture[None]})

    return front_end, engine


def timed(times: dict[str, list[float]], name: str, call: Callable[[], T]) -> T:
    """Do something, and note the CPU time in seconds that all threads of this process took meanwhile."""
    start = time.process_time()
    result = call()
    times.setdefault(name, []).append(time.process_time() - start)
    return result


def _wait_until_quiet() -> None:
    end = time.monotonic() + _MOST_WAIT_S
    busy = True
    while busy and time.monotonic() < end:
        start = time.process_time()
        time.sleep(_LOOK_S)
        busy = time.process_time() - start > _LOOK_S / 10


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
