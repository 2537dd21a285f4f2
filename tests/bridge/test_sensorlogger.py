"""A phone that pushes, by genuine HTTP, to a source that listens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from img2imu_bridge.sensorlogger.inbox import MOST_BYTES
from img2imu_bridge.sensorlogger.messages import FIELDS, Message, MessageError, read_message
from img2imu_bridge.sensorlogger.order import Order
from img2imu_bridge.sources.sensorlogger import SensorLoggerOptions, SensorLoggerSource

from img2imu_edge.errors import MissingExtraError, SourceError
from img2imu_edge.samples import STANDARD_GRAVITY, SampleBlock
from img2imu_edge.source import LinkStats, open_source

START = 1_698_501_144_401_773_000
TOKEN = "correct-horse"  # noqa: S105


def entry(sensor: str, at: float, *values: float) -> dict[str, Any]:
    known = sensor.replace(" ", "")
    return {
        "name": sensor,
        "time": START + round(at * 1e9),
        "values": dict(zip(FIELDS[known], values, strict=True)),
    }


def watch(number: int, count: int = 25, unit: float = 1.0) -> list[dict[str, Any]]:
    """Half a second of a watch that lies on its back while x counts; unit 1 is g by an Apple Watch."""
    return [
        entry("wrist motion", k * 0.02, k * 0.001, 0, 0, 0, 0, -unit, 0.1, 0.2, 0.3)
        for k in range(number * count, (number + 1) * count)
    ]


def phone(number: int, *sensors: str) -> list[dict[str, Any]]:
    each = {"accelerometer": (0.5, 0, 0), "gravity": (0, 0, 9.81), "gyroscope": (0.1, 0, 0)}
    return [entry(s, k * 0.01, *each[s]) for s in sensors for k in range(number * 50, (number + 1) * 50)]


def message(number: int, payload: object, session: str = "one", device: str = "phone") -> bytes:
    about = {"messageId": number, "sessionId": session, "deviceId": device, "payload": payload}
    return json.dumps(about).encode()


class Phone:
    """The app, as far as a server sees it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/data"

    async def push(self, body: bytes, query: str = "", **headers: str) -> tuple[int, str]:
        return await asyncio.to_thread(self._push, body, query, headers)

    def _push(self, body: bytes, query: str, headers: dict[str, str]) -> tuple[int, str]:
        kinds = {"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
        request = urllib.request.Request(self.url + query, body, kinds)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    async def push_all(self, bodies: Iterable[bytes], **headers: str) -> None:
        for body in bodies:
            assert await self.push(body, **headers) == (200, "")


@contextlib.asynccontextmanager
async def listening(
    first: Iterable[bytes], **options: Any
) -> AsyncIterator[tuple[SensorLoggerSource, Phone]]:
    """A source, and the phone that has pushed these messages."""
    source = SensorLoggerSource("sensorlogger:", SensorLoggerOptions(port=0, timeout=10, **options))
    headers = {"Authorization": f"Bearer {options['token']}"} if "token" in options else {}

    async def connect() -> Phone:
        await asyncio.sleep(0)  # until it listens
        app = Phone(source.port)
        await app.push_all(first, **headers)
        return app

    connecting = asyncio.create_task(connect())
    async with source:
        yield source, await connecting


async def gather(source: SensorLoggerSource, samples: int) -> tuple[np.ndarray, np.ndarray]:
    blocks: list[SampleBlock] = []
    async with asyncio.timeout(10):
        async for block in source:
            blocks.append(block)
            if sum(map(len, blocks)) >= samples:
                break
    return np.concatenate([b.times for b in blocks]), np.concatenate([b.values for b in blocks])


async def test_an_apple_watch_in_si_units_with_our_signs_and_its_own_time() -> None:
    async with listening(message(n, watch(n)) for n in range(4)) as (source, _):
        assert source.info.channels == ("acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")
        assert (source.info.name, source.info.rate) == ("Sensor Logger, watch", 50)
        times, values = await gather(source, 100)
    expected = -np.arange(100) * 0.001 * STANDARD_GRAVITY
    assert np.allclose(values[:, 0], expected, atol=1e-6)
    assert np.allclose(values[:, 2], STANDARD_GRAVITY)
    assert np.allclose(values[:, 3:], [0.1, 0.2, 0.3])
    assert np.allclose(times - times[0], np.arange(100) * 0.02, atol=1e-4)
    assert times[0] == pytest.approx(START / 1e9, abs=0.1)
    assert "Apple Watch" in source.stats.warnings[0]
    assert (source.stats.samples_received, source.stats.samples_lost) == (100, 0)


@pytest.mark.parametrize(
    ("options", "unit", "up"),
    [({}, -9.81, 9.81), ({"frames": "android"}, -1.0, 9.81), ({"frames": "ios"}, 9.81, 9.81)],
)
async def test_units_show_and_signs_can_be_said(options: dict[str, str], unit: float, up: float) -> None:
    from img2imu_bridge.sensorlogger.motion import Frames

    options = {name: Frames(value) for name, value in options.items()}
    async with listening((message(n, watch(n, unit=unit)) for n in range(2)), **options) as (source, _):
        _, values = await gather(source, 40)
    assert values[0, 2] == pytest.approx(up, rel=1e-3)
    assert not source.stats.warnings


async def test_a_phones_acceleration_gets_its_gravity_back() -> None:
    sensors = ("accelerometer", "gravity", "gyroscope")
    async with listening(message(n, phone(n, *sensors)) for n in range(4)) as (source, _):
        assert source.info.rate == 100
        _, values = await gather(source, 150)
    assert np.allclose(values[20:], [0.5, 0, 9.81, 0.1, 0, 0], atol=1e-5)
    assert "frames=ios" in source.stats.warnings[0]


async def test_a_phone_without_gravity_is_refused_with_what_to_switch_on() -> None:
    with pytest.raises(SourceError, match="switch on the sensor Gravity"):
        async with listening(message(n, phone(n, "accelerometer")) for n in range(2)):
            raise AssertionError


async def test_messages_that_overtake_each_other_lose_nothing() -> None:
    order = [1, 0, 2, 4, 3, 3, 5]
    async with listening(message(n, watch(n)) for n in order) as (source, app):
        _, values = await gather(source, 150)
        assert source.stats.duplicates == 1
        await app.push_all(message(n, watch(n)) for n in (7, 8))  # 6 never comes
        later, _ = await gather(source, 50)
        assert source.stats.samples_lost == 25
    assert np.allclose(np.diff(values[:, 0]), -0.001 * STANDARD_GRAVITY, atol=1e-6)
    assert len(later) == 50


async def test_a_second_session_goes_on_after_the_first() -> None:
    async with listening(message(n, watch(n)) for n in range(2)) as (source, app):
        await gather(source, 50)
        await app.push_all(message(n, watch(n + 4), session="two") for n in range(2))
        times, values = await gather(source, 50)
        status, text = await app.push(message(9, watch(9), device="another"))
    assert values[0, 0] == pytest.approx(-0.1 * STANDARD_GRAVITY)
    assert (np.diff(times) > 0).all()
    assert (status, "another phone" in text) == (400, True)


async def test_only_who_shows_the_token_is_heard() -> None:
    async with listening((message(n, watch(n)) for n in range(2)), token=TOKEN) as (source, app):
        body = message(2, watch(2))
        assert (await app.push(body))[0] == 401
        assert (await app.push(body, Authorization="Bearer wrong"))[0] == 401
        assert (await app.push(body, "?token=" + TOKEN[:-1]))[0] == 401
        assert (await app.push(body, Authorization="Bearer é"))[0] == 401
        assert (await app.push(body, Authorization=TOKEN))[0] == 200
        assert (await app.push(message(3, watch(3)), "?token=" + TOKEN))[0] == 200
        _, values = await gather(source, 100)
    assert len(values) == 100
    assert TOKEN not in source.hint + source.url


async def test_what_is_no_push_is_refused_and_breaks_nothing() -> None:
    async with listening(message(n, watch(n)) for n in range(2)) as (source, app):
        assert (await app.push(b"{", ""))[0] == 400
        assert (await app.push(b"[" * 100_000))[0] == 400
        assert (await app.push(b'{"payload": [], "messageId": "x"}'))[0] == 400
        assert (await app.push(message(2, watch(2)), Content_Type="text/plain"))[0] == 415
        assert "batch period" in (await app.push(message(2, [0] * 10_001)))[1]
        assert (await app.push(b"{}"))[0] == 200  # a test of the connection
        assert (await app.push(b" " * (MOST_BYTES + 1)))[0] == 413
        odd = [{"name": "location"}, 7, {"name": "gravity", "time": START, "values": {"x": "1"}}]
        assert (await app.push(message(2, [*watch(2), *odd])))[0] == 200
        _, values = await gather(source, 75)
        codes = [(await app.push(b"{}"))[0] for _ in range(80)]
    assert len(values) == 75
    assert source.stats.corrupt == 5
    assert 429 in codes


async def test_a_body_without_an_end_is_cut_off() -> None:
    async with listening(message(n, watch(n)) for n in range(2)) as (source, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", source.port)
        head = ("POST / HTTP/1.1", "Host: x", "Content-Type: application/json", "Transfer-Encoding: chunked")
        writer.write("\r\n".join((*head, "", "")).encode())
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        sent = 0
        with contextlib.suppress(ConnectionError):
            for _ in range(5 * MOST_BYTES // 0x10000):
                writer.write(chunk)
                await writer.drain()
                sent += 1
        with contextlib.suppress(ConnectionError):
            assert b"413" in await asyncio.wait_for(reader.readline(), 10)
        writer.close()
    assert sent < 5 * MOST_BYTES // 0x10000


async def test_a_port_in_use_and_an_open_door_are_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SourceError, match=rf"port {port}.*&port="):
            async with open_source(f"sensorlogger:?port={port}"):
                pass
    with pytest.raises(SourceError, match="give a token"):
        open_source("sensorlogger:?host=0.0.0.0")
    with pytest.raises(SourceError, match="8 letters"):
        open_source("sensorlogger:?host=0.0.0.0&token=1234567")
    with pytest.raises(SourceError, match="nothing came within"):
        async with open_source("sensorlogger:?port=0&timeout=0.3"):
            pass
    everywhere = open_source(f"sensorlogger:?host=0.0.0.0&token={TOKEN}")
    assert "//0." not in everywhere.hint  # type: ignore[attr-defined]


async def test_without_the_web_server_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingExtraError, match=r"uvicorn.*pip install 'img2imu-edge\[web\]'"):
        async with open_source("sensorlogger:?port=0"):
            pass


KEYS = ["payload", "messageId", "name", "values", "time", "x", "y", "z", "wrist motion"]
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=20,
)


@given(JSON)
@settings(max_examples=100, deadline=None)
def test_no_json_breaks_the_reader(data: object) -> None:
    gravity = {"name": "gravity", "time": 1, "values": data}
    for whole in (data, {"messageId": 1, "payload": [data, gravity]}):
        with contextlib.suppress(MessageError):
            read = read_message(json.dumps(whole).encode())
            assert read is None or all(math.isfinite(v) for r in read.readings for v in r.values)


@given(st.permutations(range(8)), st.sets(st.integers(1, 7), max_size=3))
@settings(max_examples=100, deadline=None)
def test_any_order_comes_out_in_order(numbers: list[int], lost: set[int]) -> None:
    order, now = Order(LinkStats()), 0.0
    out: list[int] = []
    for number in numbers:
        if number not in lost:
            now += 0.01
            out += [m.number for m in order.push(Message("d", "s", number, ()), now)]
    while order.deadline < math.inf:
        out += [m.number for m in order.due(order.deadline)]
    assert out == sorted(set(range(8)) - lost)
