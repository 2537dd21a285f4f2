"""OSC, with genuine servers over UDP: python-osc's, and liblo's where it is installed."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest

import img2imu_edge as i2e
from img2imu_edge.decision import Decision
from img2imu_edge.errors import OutputError
from img2imu_edge.session import SessionStats
from img2imu_edge.sinks import Counters, Decided, Event, open_sink
from img2imu_edge.source import LinkStats
from tests.conftest import Run
from tests.e2e.test_outputs_mqtt import wait_for

dispatching = pytest.importorskip("pythonosc.dispatcher", reason="python-osc is not installed")
serving = pytest.importorskip("pythonosc.osc_server")

OSCDUMP = shutil.which("oscdump")
LABELS = ("arm, up", "Arm up", "sauter à la corde 🤸", "🤸")


class Listener:
    """A program that listens for OSC."""

    def __init__(self) -> None:
        self.got: list[tuple[str, tuple[object, ...]]] = []
        dispatcher = dispatching.Dispatcher()
        dispatcher.set_default_handler(lambda address, *values: self.got.append((address, values)))
        self.server = serving.BlockingOSCUDPServer(("127.0.0.1", 0), dispatcher)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.server.shutdown()
    listener.thread.join()
    listener.server.server_close()


def test_a_decision_is_a_bundle_of_messages_with_addresses_that_fit(listener: Listener) -> None:
    scores = dict(zip(LABELS, (0.5, 0.25, 0.125, 0.125), strict=True))
    sink = open_sink(f"osc://localhost:{listener.port}/dance/floor", LABELS)
    sink.start()
    sink.take(Decided("Left wrist", Decision(1.0, LABELS[2], 0.5, 1.0, "ok", scores)))
    sink.take(Decided("Left wrist", Decision(2.0, None, 0.0, 0.25, "gap")))
    sink.take(Event("Left wrist", "warning", "loose"))
    sink.take(Counters.of("Left wrist", LinkStats(), SessionStats()))
    wait_for(lambda: len(listener.got) >= 11)
    assert sink.close() == 0
    assert listener.got == [
        ("/dance/floor/left_wrist/label", (LABELS[2],)),
        ("/dance/floor/left_wrist/confidence", (0.5,)),
        ("/dance/floor/left_wrist/coverage", (1.0,)),
        ("/dance/floor/left_wrist/score/arm_up", (0.5,)),
        ("/dance/floor/left_wrist/score/arm_up_2", (0.25,)),
        ("/dance/floor/left_wrist/score/sauter_la_corde", (0.125,)),
        ("/dance/floor/left_wrist/score/class", (0.125,)),
        ("/dance/floor/left_wrist/label", ("none",)),
        ("/dance/floor/left_wrist/confidence", (0.0,)),
        ("/dance/floor/left_wrist/coverage", (0.25,)),
        ("/dance/floor/left_wrist/event", ("warning", "loose")),
    ]


def test_a_run_is_heard_whole(listener: Listener, img2imu: Run, offline: list[Decision]) -> None:
    source = f"replay:{i2e.demo_recording()}?speed=20"  # UDP loses what nobody takes in time
    done = img2imu(
        "run", source, "--model", "shoulder", "--json", "--out", f"osc://127.0.0.1:{listener.port}"
    )
    assert (done.returncode, done.stderr) == (0, "")
    heard = [values[0] for address, values in listener.got if address == "/img2imu/shoulder/label"]
    assert heard == [decision.label or "none" for decision in offline]
    labels = i2e.load_model("shoulder").card.labels
    scores = {address.rpartition("/")[2] for address, _ in listener.got if "/score/" in address}
    assert scores == set(labels)


@pytest.mark.skipif(OSCDUMP is None, reason="oscdump (liblo-tools) is not installed")
async def test_another_implementation_understands_it() -> None:
    assert OSCDUMP
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    dump = await asyncio.create_subprocess_exec(OSCDUMP, "-L", str(port), stdout=subprocess.PIPE)
    assert dump.stdout
    sink = open_sink(f"osc://127.0.0.1:{port}", ["walking"])
    sink.start()
    try:
        line = b""
        while not line:  # until it listens
            sink.take(Decided("wrist", Decision(1.0, "walking", 0.75, 1.0, "ok", {"walking": 0.75})))
            with contextlib.suppress(TimeoutError):
                line = await asyncio.wait_for(dump.stdout.readline(), 0.2)
        lines = [line, *[await asyncio.wait_for(dump.stdout.readline(), 5) for _ in range(3)]]
    finally:
        sink.close()
        dump.terminate()
        await dump.wait()
    assert [re.sub(r"^\S+ ", "", line.decode()).strip() for line in lines] == [
        '/img2imu/wrist/label s "walking"',
        "/img2imu/wrist/confidence f 0.750000",
        "/img2imu/wrist/coverage f 1.000000",
        "/img2imu/wrist/score/walking f 0.750000",
    ]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("osc://no-such-host.invalid:9000", "no such host"),
        ("osc:9000", "needs a host"),
        ("osc://127.0.0.1:9000/a%20b", "no OSC address"),
        ("osc://127.0.0.1:9000/é", "no OSC address"),
        ("osc://127.0.0.1:9000?prefix=a", "no option 'prefix'; there are: none"),
        ("osc://127.0.0.1:123456", "port must be"),
    ],
)
def test_a_wrong_url_is_told(url: str, says: str) -> None:
    with pytest.raises(OutputError, match=says):
        open_sink(url).start()


def test_that_nobody_listens_disturbs_nobody(img2imu: Run) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    source = f"replay:{i2e.demo_recording()}?speed=0"
    done = img2imu("run", source, "--model", "shoulder", "--json", "--out", f"osc://127.0.0.1:{port}")
    assert (done.returncode, done.stderr) == (0, "")
