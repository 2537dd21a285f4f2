"""The outputs that others connect to: WebSocket and Prometheus, with genuine clients."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from img2imu_edge.decision import Decision
from img2imu_edge.errors import OutputError
from img2imu_edge.session import SessionStats
from img2imu_edge.sinks import Counters, Decided, Event, open_sink
from img2imu_edge.sinks.outlets import Outlets
from img2imu_edge.source import LinkStats
from tests.conftest import Run

ws = pytest.importorskip("websockets.asyncio.client", reason="websockets is not installed")
errors = pytest.importorskip("websockets.exceptions")
prometheus = pytest.importorskip("img2imu_edge.sinks.prometheus")
pytest.importorskip("prometheus_client", reason="prometheus-client is not installed")
parser = pytest.importorskip("prometheus_client.parser")

from img2imu_edge.sinks.prometheus import PrometheusSink  # noqa: E402
from img2imu_edge.sinks.websocket import READER_QUEUE, WebSocketSink  # noqa: E402

TOKEN = "long-enough-token"  # noqa: S105


def decided(time_s: float, label: str = "walking", latency_ms: float | None = 12.0) -> Decided:
    return Decided("wrist", Decision(time_s, label, 0.9, 1.0, "ok", latency_ms=latency_ms))


async def test_every_reader_gets_every_line() -> None:
    sink = WebSocketSink("127.0.0.1", 0)
    sink.start()
    try:
        async with ws.connect(sink.url) as one, ws.connect(sink.url) as two:
            for n in range(100):
                sink.take(decided(float(n)))
            sink.take(Event("wrist", "failed", "gone"))
            for reader in (one, two):
                lines = [json.loads(await reader.recv()) for _ in range(101)]
                assert [line["time"] for line in lines[:100]] == [float(n) for n in range(100)]
                assert lines[0]["label"] == "walking"
                assert lines[100] == {"source": "wrist", "event": "failed", "message": "gone"}
    finally:
        await asyncio.to_thread(sink.close)


async def test_what_waits_at_the_end_is_sent_before_the_connection_closes() -> None:
    sink = WebSocketSink("127.0.0.1", 0)
    sink.start()
    async with ws.connect(sink.url) as reader:
        for n in range(200):
            sink.take(decided(float(n)))
        await asyncio.to_thread(sink.close)
        assert len([line async for line in reader]) == 200


async def test_a_reader_that_stops_reading_holds_up_nobody_and_is_told_what_it_missed() -> None:
    sink = WebSocketSink("127.0.0.1", 0)
    sink.start()
    count, long = 5_000, "x" * 5_000
    try:
        async with (
            ws.connect(sink.url, max_queue=1) as slow,
            ws.connect(sink.url, max_queue=1) as quick,
        ):
            begin = time.monotonic()
            got = 0
            for n in range(count):
                sink.take(decided(float(n), long))
                got += bool(await quick.recv())
            assert got == count
            assert time.monotonic() - begin < 20
            seen, missed, last = 0, 0, -1.0
            while last < count - 1:
                line = json.loads(await slow.recv())
                if line.get("event") == "dropped":
                    missed += line["messages"]
                else:
                    seen, last = seen + 1, line["time"]
            assert seen + missed == count
            assert missed > count - 4 * READER_QUEUE - 2000
            assert seen >= READER_QUEUE
    finally:
        await asyncio.to_thread(sink.close)


async def test_a_foreign_page_is_refused_and_a_token_opens() -> None:
    sink = WebSocketSink("127.0.0.1", 0)
    sink.start()
    try:
        with pytest.raises(errors.InvalidStatus, match="403"):
            await ws.connect(sink.url, origin="https://evil.example")
        with pytest.raises(errors.InvalidStatus, match="403"):
            await ws.connect(sink.url, origin="http://localhost.evil.example")
        await (await ws.connect(sink.url, origin="http://localhost:8080")).close()
    finally:
        await asyncio.to_thread(sink.close)
    sink = WebSocketSink("0.0.0.0", 0, TOKEN)  # noqa: S104
    sink.start()
    url = f"ws://127.0.0.1:{sink.port}"
    try:
        for wrong in (url, f"{url}?token=something-else"):
            with pytest.raises(errors.InvalidStatus, match="401"):
                await ws.connect(wrong)
        await (await ws.connect(f"{url}/?token={TOKEN}", origin="https://page.example")).close()
        headers = {"Authorization": f"Bearer {TOKEN}"}
        await (await ws.connect(url, additional_headers=headers)).close()
    finally:
        await asyncio.to_thread(sink.close)


def metrics(url: str, token: str = "") -> dict[str, float]:
    request = urllib.request.Request(url.replace("prometheus:", "http:") + "/metrics")  # noqa: S310
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        text = answer.read().decode()
    found = {}
    for family in parser.text_string_to_metric_families(text):
        for name, labels, value, *_ in family.samples:
            found[name + "".join(f"|{labels[key]}" for key in sorted(labels))] = value
    return found


def test_prometheus_reads_what_was_counted() -> None:
    sink = PrometheusSink("127.0.0.1", 0)
    sink.start()
    try:
        for n in range(5):
            sink.take(decided(float(n)))
        sink.take(decided(6.0, "running", None))
        sink.take(Event("wrist", "warning", "loose"))
        link = LinkStats(samples_received=900, samples_lost=7, duplicates=2, corrupt=3)
        link.reconnects, link.battery = 1, 85
        sink.take(Counters.of("wrist", link, SessionStats(skipped=4)))
        link.samples_received = 950
        sink.take(Counters.of("wrist", link, SessionStats(skipped=4)))
        got = metrics(sink.url)
    finally:
        sink.close()
    assert got["img2imu_decisions_total|walking|wrist|ok"] == 5
    assert got["img2imu_decisions_total|running|wrist|ok"] == 1
    assert got["img2imu_decision_latency_seconds_count|wrist"] == 5
    assert got["img2imu_decision_latency_seconds_bucket|0.01|wrist"] == 0
    assert got["img2imu_decision_latency_seconds_bucket|0.025|wrist"] == 5
    assert got["img2imu_samples_received_total|wrist"] == 950
    assert got["img2imu_samples_lost_total|wrist"] == 7
    assert got["img2imu_duplicates_total|wrist"] == 2
    assert got["img2imu_corrupt_total|wrist"] == 3
    assert got["img2imu_reconnects_total|wrist"] == 1
    assert got["img2imu_battery_ratio|wrist"] == 0.85
    assert got["img2imu_decisions_skipped_total|wrist"] == 4
    assert got["img2imu_events_total|warning|wrist"] == 1
    with pytest.raises(urllib.error.URLError):
        metrics(sink.url)


@pytest.mark.parametrize("label", ["arm, up", 'say "ah" \\', "two\nlines", "sauter à la corde 🤸", "{}"])
async def test_any_label_is_read_as_it_was(label: str) -> None:
    metrics_of, lines_of = PrometheusSink("127.0.0.1", 0), WebSocketSink("127.0.0.1", 0)
    metrics_of.start()
    lines_of.start()
    try:
        async with ws.connect(lines_of.url) as reader:
            for sink in (metrics_of, lines_of):
                sink.take(decided(1.0, label))
            assert json.loads(await reader.recv())["label"] == label
        got = await asyncio.to_thread(metrics, metrics_of.url)
    finally:
        metrics_of.close()
        await asyncio.to_thread(lines_of.close)
    assert got[f"img2imu_decisions_total|{label}|wrist|ok"] == 1


def test_prometheus_asks_for_its_token() -> None:
    sink = PrometheusSink("127.0.0.1", 0, TOKEN)
    sink.start()
    try:
        for wrong in ("", "wrong-token"):
            with pytest.raises(urllib.error.HTTPError, match="401") as refused:
                metrics(sink.url, wrong)
            refused.value.close()
        assert "img2imu_samples_lost_total" not in metrics(sink.url, TOKEN)
    finally:
        sink.close()


@pytest.mark.parametrize("scheme", ["ws", "prometheus"])
def test_a_port_in_use_is_told_before_any_source_is_connected(
    scheme: str, img2imu: Run, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        url = f"{scheme}://127.0.0.1:{port}"
        # A source that does not exist: were it opened first, its error would be the one.
        done = img2imu("run", f"replay:{tmp_path}/none.csv", "--model", "shoulder", "--out", url)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in done.stderr
    assert "none.csv" not in done.stderr


@pytest.mark.parametrize("scheme", ["ws", "prometheus"])
@pytest.mark.parametrize(
    ("rest", "says"),
    [
        ("0.0.0.0:1", "anyone in the network could read along"),
        ("0.0.0.0:1?token=short", "8 letters"),
        ("127.0.0.1:1?tokn=x", "there are: token"),
        ("", "needs a host"),
    ],
)
def test_a_url_that_would_show_too_much_is_refused(scheme: str, rest: str, says: str) -> None:
    with pytest.raises(OutputError, match=says):
        open_sink(f"{scheme}://{rest}")


def test_if_the_second_output_cannot_start_the_first_one_is_closed_again() -> None:
    first, second = PrometheusSink("127.0.0.1", 0), WebSocketSink("192.0.2.1", 1)
    with pytest.raises(OutputError, match=r"192\.0\.2\.1"):
        Outlets([first, second]).__enter__()
    with Outlets([PrometheusSink("127.0.0.1", first.port)]):
        pass  # its port is free


async def test_a_live_run_is_seen_by_both(tmp_path: Path) -> None:
    from img2imu_edge import demo_recording

    command = Path(sys.executable).with_name("img2imu")
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        ports = one.getsockname()[1], two.getsockname()[1]
    arguments = [
        command, "run", f"replay:{demo_recording()}?speed=10", "--model", "shoulder", "--json",
        "--out", f"ws://127.0.0.1:{ports[0]}", "--out", f"prometheus://127.0.0.1:{ports[1]}",
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.DEVNULL)
    lines: list[dict[str, object]] = []
    try:
        async for attempt in ws.connect(f"ws://127.0.0.1:{ports[0]}"):
            async with attempt as reader:
                while len([line for line in lines if "time" in line]) < 40:
                    lines.append(json.loads(await reader.recv()))
            break
        got = await asyncio.to_thread(metrics, f"http://127.0.0.1:{ports[1]}")
    finally:
        process.terminate()
        await process.wait()
    assert any(line.get("event") == "counters" for line in lines)
    assert got["img2imu_samples_received_total|shoulder"] > 100
    assert got["img2imu_samples_lost_total|shoulder"] == 0
    assert got["img2imu_decision_latency_seconds_count|shoulder"] >= 40
