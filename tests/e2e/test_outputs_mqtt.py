"""MQTT, with a genuine broker: mosquitto."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from img2imu_edge.decision import Decision
from img2imu_edge.errors import OutputError
from img2imu_edge.sinks import Decided, open_sink
from img2imu_edge.sinks.outlet import Outlet
from img2imu_edge.sinks.outlets import Outlets
from tests.conftest import Run

client_module = pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")

MOSQUITTO = shutil.which(
    "mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin"
)
pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(what: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


class Broker:
    """A mosquitto process."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.port = free_port()
        self.config = folder / "mosquitto.conf"
        self.config.write_text("\n".join([f"listener {self.port} 127.0.0.1", *lines]) + "\n")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO
        self.process = subprocess.Popen([MOSQUITTO, "-c", str(self.config)], stderr=subprocess.DEVNULL)

        def answers() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return True
            return False

        wait_for(answers)

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self.process:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(how)
            self.process.wait()
            self.process = None


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    # It remembers who subscribed, if it is asked to stop, so that the tests' reader misses nothing.
    kept = ["persistence true", f"persistence_location {tmp_path}/", "user root"]
    broker = Broker(tmp_path, "allow_anonymous true", *kept)
    broker.start()
    yield broker
    broker.stop()


class Reader:
    """Someone who subscribed to everything, and subscribes again after a restart."""

    def __init__(self, broker: Broker, name: str = "") -> None:
        self.got: list[tuple[str, str]] = []
        self.ready = threading.Event()
        self.client = client_module.Client(
            client_module.CallbackAPIVersion.VERSION2, name, clean_session=not name
        )
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.on_message = lambda _c, _u, m: self.got.append((m.topic, m.payload.decode()))
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        assert self.ready.wait(10)

    def times(self) -> list[float]:
        return [json.loads(text)["time"] for topic, text in self.got if topic.endswith("/decision")]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def reader(broker: Broker) -> Iterator[Reader]:
    reader = Reader(broker, "reader")
    yield reader
    reader.close()


def decided(time_s: float, source: str = "left wrist") -> Decided:
    return Decided(source, Decision(time_s, "walking", 0.9, 1.0, "ok", {"walking": 0.9}))


def test_a_run_reaches_the_broker_whole(broker: Broker, reader: Reader, img2imu: Run, tmp_path: Path) -> None:
    from img2imu_edge import demo_recording

    lines = tmp_path / "a.jsonl"
    url = f"mqtt://127.0.0.1:{broker.port}/home/wrist"
    source = f"replay:{demo_recording()}?speed=0"
    done = img2imu("run", source, "--model", "shoulder", "--json", "--out", url, "--out", lines)
    assert (done.returncode, done.stderr) == (0, "")
    wait_for(lambda: ("home/wrist/status", "offline") in reader.got)
    sent = [json.loads(text) for topic, text in reader.got if topic == "home/wrist/shoulder/decision"]
    assert all(decision.pop("at").startswith("20") for decision in sent)
    kept = [json.loads(line) for line in lines.read_text().splitlines()]
    assert sent == kept == [json.loads(line) for line in done.stdout.splitlines()]
    assert len(sent) > 300
    counters = [json.loads(text) for topic, text in reader.got if topic == "home/wrist/shoulder/counters"]
    assert counters[-1]["samples_received"] > 9000
    assert counters[-1]["samples_lost"] == 0


def test_home_assistant_is_told_what_there_is(broker: Broker, reader: Reader) -> None:
    sink = open_sink(f"mqtt://127.0.0.1:{broker.port}/home")
    with Outlets([sink]) as outlets:
        outlets.send(decided(1.0))
        outlets.send(decided(2.0, "Left.Wrist"))  # must not share the first one's topic
        wait_for(lambda: len(reader.times()) == 2)
    late = Reader(broker)  # retained: for a Home Assistant that starts later
    wait_for(lambda: len(late.got) == 13)
    late.close()
    got = dict(late.got)
    assert got["home/status"] == "offline"
    config = json.loads(got["homeassistant/sensor/home_left_wrist/activity/config"])
    assert config["state_topic"] == "home/left_wrist/decision"
    assert config["availability_topic"] == "home/status"
    assert config["device"]["name"] == "left wrist"
    configs = {topic: json.loads(text) for topic, text in got.items() if topic.endswith("/config")}
    assert len(configs) == len({each["unique_id"] for each in configs.values()}) == 12
    states = {each["state_topic"].rsplit("/", 1)[0] for each in configs.values()}
    assert states == {"home/left_wrist", "home/left_wrist_2"}
    decisions = {topic for topic, _ in reader.got if topic.endswith("/decision")}
    assert decisions == {"home/left_wrist/decision", "home/left_wrist_2/decision"}


def test_a_run_that_is_asked_to_stop_delivers_what_it_decided(broker: Broker, reader: Reader) -> None:
    from img2imu_edge import demo_recording

    command = Path(sys.executable).with_name("img2imu")
    arguments = ["run", f"replay:{demo_recording()}?speed=10", "--model", "shoulder", "--json"]
    out = ["--out", f"mqtt://127.0.0.1:{broker.port}/stop"]
    with subprocess.Popen([command, *arguments, *out], stdout=subprocess.PIPE, text=True) as process:
        wait_for(lambda: len(reader.times()) > 10)
        process.terminate()
        said, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    wait_for(lambda: ("stop/status", "offline") in reader.got)
    assert reader.times() == [json.loads(line)["time"] for line in said.splitlines()]


def test_a_process_that_dies_is_offline(broker: Broker, reader: Reader) -> None:
    script = "import sys, time\nfrom img2imu_edge.sinks import open_sink\n"
    script += "open_sink(sys.argv[1]).start()\ntime.sleep(60)"
    url = f"mqtt://127.0.0.1:{broker.port}/will"
    with subprocess.Popen([sys.executable, "-c", script, url]) as process:
        wait_for(lambda: ("will/status", "online") in reader.got)
        process.kill()
    wait_for(lambda: ("will/status", "offline") in reader.got)


def test_a_broker_that_dies_for_a_while_costs_nothing_within_the_bound(
    broker: Broker, reader: Reader
) -> None:
    outlet = Outlet(open_sink(f"mqtt://127.0.0.1:{broker.port}/gone?discovery="))
    outlet.start()
    for n in range(50):
        outlet.put(decided(float(n)))
    wait_for(lambda: len(reader.times()) == 50)
    broker.stop(signal.SIGTERM)
    begin = time.monotonic()
    for n in range(50, 500):
        outlet.put(decided(float(n)))
    assert time.monotonic() - begin < 0.5  # the stream is not delayed
    time.sleep(1.5)
    broker.start()
    wait_for(lambda: len(set(reader.times())) == 500, 15)
    outlet.close()
    assert list(dict.fromkeys(reader.times())) == [float(n) for n in range(500)]  # in order
    assert outlet.dropped == 0
    told = "\n".join(outlet.news())
    assert "lost the broker" in told
    assert "connected to the broker" in told


def test_a_broker_that_forgot_is_told_again_what_there_is(broker: Broker, reader: Reader) -> None:
    def configs() -> int:
        return sum(topic.endswith("activity/config") for topic, _ in reader.got)

    outlet = Outlet(open_sink(f"mqtt://127.0.0.1:{broker.port}/anew"))
    outlet.start()
    outlet.put(decided(1.0))
    wait_for(lambda: reader.times() == [1.0])
    assert configs() == 1
    broker.stop()  # it keeps nothing on disk
    reader.ready.clear()
    broker.start()
    assert reader.ready.wait(10)
    outlet.put(decided(2.0))
    wait_for(lambda: 2.0 in reader.times(), 15)
    outlet.close()
    assert configs() >= 2
    late = Reader(broker)
    wait_for(lambda: any(topic.endswith("activity/config") for topic, _ in late.got))
    late.close()


def test_beyond_the_bound_the_oldest_go_and_it_is_told(broker: Broker, reader: Reader) -> None:
    outlet = Outlet(open_sink(f"mqtt://127.0.0.1:{broker.port}/gone?discovery="), size=100)
    outlet.start()
    outlet.put(decided(0.0))
    wait_for(lambda: reader.times() == [0.0])
    broker.stop(signal.SIGTERM)
    time.sleep(0.2)
    for n in range(1, 301):
        outlet.put(decided(float(n)))
    broker.start()
    wait_for(lambda: 300.0 in reader.times(), 15)
    outlet.close()
    arrived = set(reader.times())
    assert set(map(float, range(201, 301))) <= arrived
    assert len(arrived) + outlet.dropped == 301
    assert f"{outlet.dropped} messages were not delivered" in outlet.news()


def test_a_broker_that_hangs_delays_neither_the_stream_nor_the_end_for_long(broker: Broker) -> None:
    outlet = Outlet(open_sink(f"mqtt://127.0.0.1:{broker.port}/hangs?discovery="), stuck_s=0.5)
    outlet.start()
    assert broker.process
    broker.process.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    for n in range(200):
        outlet.put(decided(float(n)))
    assert time.monotonic() - begin < 0.5
    outlet.close()
    assert time.monotonic() - begin < 10
    assert outlet.dropped >= 200
    assert any("not delivered" in text for text in outlet.news())


def test_a_broker_that_comes_later_gets_all(tmp_path: Path) -> None:
    broker = Broker(tmp_path, "allow_anonymous true")
    outlet = Outlet(open_sink(f"mqtt://127.0.0.1:{broker.port}/late"))
    outlet.start()
    assert "trying again" in outlet.news()[0]
    outlet.put(decided(1.0))
    broker.start()
    try:
        reader = Reader(broker)
        wait_for(lambda: any(topic.endswith("/coverage/config") for topic, _ in reader.got), 15)
        outlet.close()
        reader.close()
    finally:
        broker.stop()
    assert outlet.dropped == 0


def test_a_broker_that_refuses_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "ann", "s3cret"], check=True)
    passwords.chmod(0o644)
    broker = Broker(tmp_path, "allow_anonymous false", f"password_file {passwords}", "user root")
    broker.start()
    try:
        with pytest.raises(OutputError, match="refuses us"):
            open_sink(f"mqtt://127.0.0.1:{broker.port}/x").start()
        wrong = open_sink(f"mqtt://ann:wrong-one@127.0.0.1:{broker.port}/x")
        with pytest.raises(OutputError) as refused:
            wrong.start()
        assert "wrong-one" not in str(refused.value) + wrong.url
        monkeypatch.setenv("IMG2IMU_MQTT_PASSWORD", "s3cret")
        right = open_sink(f"mqtt://ann@127.0.0.1:{broker.port}/x")
        right.start()
        right.take(decided(1.0))
        assert right.close() == 0
    finally:
        broker.stop()


# paho-mqtt leaves the socket of a handshake that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls_is_verified_unless_told_otherwise(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    pem, key = tmp_path / "ca.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", str(key), "-out", str(pem)],
        check=True, capture_output=True,
    )  # fmt: skip
    broker = Broker(tmp_path, "allow_anonymous true", f"certfile {pem}", f"keyfile {key}", "user root")
    broker.start()
    try:
        base = f"mqtts://localhost:{broker.port}/x"
        with pytest.raises(OutputError, match=r"cannot prove who it is .*\?ca="):
            open_sink(base).start()
        with pytest.raises(OutputError, match=r"cannot prove who it is .*IP address mismatch"):
            open_sink(f"mqtts://127.0.0.1:{broker.port}/x?ca={pem}").start()
        for options in (f"?ca={pem}", "?verify=false"):
            sink = open_sink(base + options)
            sink.start()
            sink.take(decided(1.0))
            assert sink.close() == 0
            assert bool(sink.warnings) == ("verify" in options)
    finally:
        broker.stop()


def test_topics_are_plain_whatever_sources_and_labels_are_called(broker: Broker, reader: Reader) -> None:
    sink = open_sink(f"mqtt://127.0.0.1:{broker.port}/home?discovery=")
    label, names = 'say "ah",\n🤸 + #/', ["left/wrist +#", "🤸", "two\nlines", "$SYS", "🦾"]
    sink.start()
    for name in names:
        decision = Decision(1.0, label, 0.9, 1.0, "ok", {label: 0.9})
        sink.take(Decided(name, decision))
    assert sink.close() == 0
    wait_for(lambda: ("home/status", "offline") in reader.got)
    got = [(topic, json.loads(text)) for topic, text in reader.got if topic.endswith("/decision")]
    assert [topic.split("/")[1] for topic, _ in got] == [
        "left_wrist", "source", "two_lines", "sys", "source_2"
    ]  # fmt: skip
    assert [(data["source"], data["label"]) for _, data in got] == [(name, label) for name in names]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mqtt://broker/a/%23", "no topic to publish to"),
        ("mqtt:///topic", "needs a host"),
        ("mqtt://broker/x?disco=1", "there are: discovery"),
        ("mqtt://broker:99999/x", "port must be"),
        ("mqtt://broker/x?verify=perhaps", "verify='perhaps'"),
    ],
)
def test_a_wrong_url_is_told(url: str, says: str) -> None:
    with pytest.raises(OutputError, match=says):
        open_sink(url)
