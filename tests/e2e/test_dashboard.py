"""The dashboard, in a genuine browser and over genuine HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import img2imu_edge as i2e
from img2imu_edge.dashboard import Address, Dashboard, Feed, Watcher
from img2imu_edge.dashboard.address import is_own_name
from img2imu_edge.dashboard.feed import MOST_CLIENTS, MOST_FRAMES, Client, Layout
from img2imu_edge.decision import Decision
from img2imu_edge.errors import Img2ImuError
from img2imu_edge.runner import Wearable, classify_all
from img2imu_edge.spectrogram import SpectrogramPlan, StreamingSpectrogram, stack
from tests.e2e.browser import TOKEN, browser_page, host_of, live, until, websockets

LAYOUT = Layout(20, 5, 8, ("acc_x", "acc_y", "acc_z"), 5, 50.0, ("still", "walk"), (0.3, 15.0))
WALK = Decision(1.0, "walk", 0.9, 1.0, "ok", {"still": 0.1, "walk": 0.9})


def a_feed() -> Feed:
    feed = Feed()
    feed.add("watch", "virtual:", LAYOUT)
    return feed


@contextlib.asynccontextmanager
async def a_dashboard(token: str = "", feed: Feed | None = None) -> AsyncIterator[Dashboard]:
    async with Dashboard(feed or a_feed(), Address("127.0.0.1", 0, token)) as dashboard:
        yield dashboard


def get(url: str, path: str = "/", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(host_of(url), timeout=5)
    connection.request("GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


async def pixels(page: Any, canvas: str) -> list[int]:
    """How many colours a canvas has, and a checksum of it."""
    script = """canvas => {
        const {width, height} = canvas;
        const {buffer} = canvas.getContext("2d").getImageData(0, 0, width, height).data;
        const words = new Uint32Array(buffer);
        return [new Set(words).size, words.reduce((sum, word) => (sum * 31 + word) | 0, 0)];
    }"""
    return list(await page.eval_on_selector(canvas, script))


async def test_a_browser_sees_a_wearable_move_go_away_and_come_back(model: i2e.Model) -> None:
    known = json.dumps([name.replace("_", " ") for name in model.card.labels])
    command = str(Path(sys.executable).with_name("img2imu"))
    url = "virtual:?speed=3&loss=0.02&unplug_every_s=12"
    process = await asyncio.create_subprocess_exec(
        *(command, "run", url, "--model", "shoulder", "--json", "--dashboard-at", "127.0.0.1:0"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr
        told = (await process.stderr.readline()).decode()
        address = re.search(r"http://127\.0\.0\.1:\d+/", told)
        assert address, told
        async with browser_page(viewport={"width": 375, "height": 800}) as page:
            await page.goto(address.group())
            # Whatever the browser's start took of the recording, and between two of the link's outages.
            label, state = (f"document.querySelector('.{name}')?.textContent" for name in ("label", "state"))
            await until(page, f"{known}.includes({label}) && {state} === 'live'")
            assert await page.text_content("[data-fact=rate]") != "0.0 Hz"
            before = [await pixels(page, canvas) for canvas in (".picture", ".traces", ".timeline")]
            assert all(colours > 2 for colours, _ in before)
            await asyncio.sleep(1)
            after = [await pixels(page, canvas) for canvas in (".picture", ".traces", ".timeline")]
            assert all(now != then for now, then in zip(after, before, strict=True))
            await until(page, "+document.querySelector('[data-fact=reconnects]').textContent >= 1")
            then = await page.evaluate("cards[0].columns")
            await until(page, f"cards[0].columns > {then} + 20")
            assert await page.evaluate("document.documentElement.scrollWidth") == 375
            assert page.errors == []
    finally:
        process.terminate()
        await process.wait()


async def test_a_page_survives_a_restart_of_the_server_and_stays_small() -> None:
    async with browser_page() as page:
        async with a_dashboard(TOKEN) as dashboard:
            port = int(host_of(dashboard.url).split(":")[1])
            await page.goto(f"http://127.0.0.1:{port}/")
            await until(page, "notice.textContent.startsWith('The token is missing')")
            await page.goto(dashboard.url)
            await until(page, "notice.textContent === ''")
            await page.reload()  # the token is remembered, and no longer on the screen
            await until(page, "notice.textContent === ''")
            assert TOKEN not in page.url
        await until(page, "notice.textContent.startsWith('No connection')")
        feed = a_feed()
        async with Dashboard(feed, Address("127.0.0.1", port, TOKEN)):
            await until(page, "notice.textContent === ''")
            feed.decision("watch", Decision(0, None, 0, 0.2, "gap"))
            await until(page, "document.querySelector('.label').textContent === 'too few samples'")
            for _ in range(1000):
                feed.columns("watch", np.full((5, 8, 4), 255, np.uint8))
                feed.samples("watch", np.ones((25, 3), np.float32))
                feed.decision("watch", WALK)
                await asyncio.sleep(0)
            feed.decision("watch", replace(WALK, label="still"))
            await until(page, "document.querySelector('.label').textContent === 'still'")
            script = "[cards[0].decisions.length, cards[0].values.length, cards[0].ring.width, cards.length]"
            assert await page.evaluate(script) == [600, 2 * 20 * 5 * 3, 40, 1]
        assert page.errors == []


async def test_the_page_may_do_what_it_does_and_nothing_else() -> None:
    async with a_dashboard() as dashboard:
        response = await asyncio.to_thread(get, dashboard.url)
        assert response.status == 200
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        async with browser_page() as page:
            await page.goto(dashboard.url)
            await until(page, "notice.textContent === ''")
            added = (
                "document.body.append(Object.assign(document.createElement('script'), {text: 'strange = 1'}))"
            )
            assert await page.evaluate(f"{added}, typeof strange") == "undefined"
            async with a_dashboard() as other:
                elsewhere = f"fetch({other.url!r}, {{mode: 'no-cors'}}).then(() => 'sent', () => 'not sent')"
                assert await page.evaluate(elsewhere) == "not sent"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", ""])
async def test_names_that_were_made_to_point_here_are_refused(host: str) -> None:
    async with a_dashboard() as dashboard:
        response = await asyncio.to_thread(get, dashboard.url, Host=host)
        assert response.status in (400, 421)
        assert not response.headers.get("Content-Security-Policy")
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13"}
        upgrade |= {"Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Host": host, "Origin": f"http://{host}"}
        response = await asyncio.to_thread(get, dashboard.url, "/live", **upgrade)
        assert response.status == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:1", "null", "http://[", "file://"]
)
async def test_pages_from_elsewhere_are_refused(origin: str) -> None:
    async with a_dashboard() as dashboard:
        with pytest.raises(websockets.InvalidStatus, match="403"):
            await live(dashboard.url, origin=origin)
        async with live(dashboard.url) as ours:
            assert json.loads(await ours.recv())["type"] == "hello"


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "1"])
async def test_nothing_is_told_without_the_token(token: str) -> None:
    async with a_dashboard(TOKEN) as dashboard:
        async with live(dashboard.url, token=token) as stranger:
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await stranger.recv()
        assert closed.value.rcvd.code == 4403
        async with live(dashboard.url, token=TOKEN) as ours:
            assert json.loads(await ours.recv())["type"] == "hello"


async def test_browsers_are_limited_in_number_and_in_what_they_say() -> None:
    async with a_dashboard() as dashboard, contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(live(dashboard.url)) for _ in range(MOST_CLIENTS)]
        for each in sockets:
            assert json.loads(await each.recv())["type"] == "hello"
        async with live(dashboard.url) as late:
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await late.recv()
        assert closed.value.rcvd.code == 4429
        await sockets[0].send("x" * 5000)
        with contextlib.suppress(websockets.ConnectionClosedError):
            async for _ in sockets[0]:
                pass
        assert sockets[0].close_code == 1009
        async with live(dashboard.url) as next_one:  # there is room again
            assert json.loads(await next_one.recv())["type"] == "hello"


async def bytes_until_walk(browser: Any) -> int:
    """Read until a decision says so; how much came before."""
    size = 0
    async with asyncio.timeout(10):
        async for frame in browser:
            size += len(frame)
            if isinstance(frame, str) and json.loads(frame).get("label") == "walk":
                return size
    raise AssertionError("closed")


async def test_a_browser_that_does_not_read_delays_nobody() -> None:
    feed, sent = a_feed(), 0
    async with a_dashboard(feed=feed) as dashboard, live(dashboard.url) as slow, live(dashboard.url) as quick:
        slow.transport.pause_reading()
        reading = asyncio.create_task(bytes_until_walk(quick))
        columns = np.zeros((20, 8, 4), np.uint8)
        for _ in range(40_000):  # 26 MB, more than any buffer on the way
            feed.columns("watch", columns)
            sent += columns.nbytes
            await asyncio.sleep(0)
        feed.decision("watch", WALK)
        assert await reading > sent / 2
        slow.transport.resume_reading()
        assert await bytes_until_walk(slow) < sent / 2  # and yet it is told what is now


async def test_a_browser_that_was_behind_gets_the_present_state() -> None:
    feed = a_feed()
    client = Client(feed)
    first = await client.next()
    assert json.loads(first[0])["type"] == "hello"
    for _ in range(MOST_FRAMES + 1):
        client.put("x")
    again = await client.next()
    assert json.loads(again[0])["type"] == "hello"
    client.put("x")
    assert await client.next() == ["x"]


async def test_what_is_shown_is_what_the_network_sees(model: i2e.Model) -> None:
    feed = Feed()
    wearable = Wearable("walk", i2e.open_source(f"replay:{i2e.demo_recording()}?speed=0"))
    watcher = Watcher(feed, [wearable], model)
    async with contextlib.aclosing(classify_all([wearable], model)) as decisions:
        async for each, decision in decisions:
            watcher.write(each.name, decision)
            if decision.time > 40:
                watcher.tell()
                title = each.source.info.name
                break
        session = wearable.session
        assert session
        picture = session.spectrogram.picture()
        samples = session.samples_since(0)
    panel = feed._panels["walk"]
    watcher.tell()  # the source has been left, and its name is known all the same
    told = json.loads(panel.stats)
    assert (told["title"], told["gaps"], told["lost"]) == (title, 0, 0)
    shown = panel.columns.view(panel.columns.total - picture.shape[2], panel.columns.total)
    expected = (stack(picture)[:, ::-1] * 255).astype(np.uint8)
    assert np.array_equal(shown[..., :3].transpose(2, 1, 0), expected)
    traces = panel.samples.view(panel.samples.total - len(samples), panel.samples.total)
    assert np.array_equal(traces, samples)
    assert abs(panel.columns.total * model.plan.hop - panel.samples.total) <= 2 * model.plan.hop


@pytest.mark.parametrize("preset", ["paper", "motion"])
@pytest.mark.parametrize("axes", [3, 6])
def test_columns_since_are_those_of_the_picture(preset: str, axes: int) -> None:
    plan = SpectrogramPlan(i2e.SpectrogramSpec.preset(preset), 50.0, axes)
    stream = StreamingSpectrogram(plan, 10)
    assert len(stream.since(0)) == 0
    rng = np.random.default_rng(0)
    stream.push(rng.normal(size=(plan.frame + 4 * plan.hop, axes)).astype(np.float32))
    assert stream.since(0).shape == (5, axes, plan.rows)
    stream.push(rng.normal(size=(20 * plan.hop, axes)).astype(np.float32))
    picture = stream.picture().transpose(2, 0, 1)
    assert np.array_equal(stream.since(0), picture)
    assert np.array_equal(stream.since(stream.total - 3), picture[-3:])
    assert len(stream.since(stream.total)) == 0
    assert 0 <= picture.min() < picture.max() <= 1


@pytest.mark.parametrize(
    "text", ["8765", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:99999", "a@127.0.0.1:1", "h:1/x", "", "[::1:8"]
)
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(Img2ImuError, match="write host and port"):
        Address.read(text)


def test_other_interfaces_get_a_token() -> None:
    assert Address.read("127.0.0.1:0").token == Address.read("[::1]:0").token == ""
    first, second = Address.read("0.0.0.0:0"), Address.read("0.0.0.0:0")
    assert len(first.token) == 32
    assert first.token != second.token
    shown = Dashboard(a_feed(), first).url
    assert shown.endswith(f"/#{first.token}")
    assert is_own_name(host_of(shown))
    assert not host_of(shown).startswith("0.")
    with pytest.raises(Img2ImuError, match="8 letters"):
        Address.read("127.0.0.1:0", "short")


def ran(snippet: str) -> str:
    command = [sys.executable, "-W", "error", "-c", snippet]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_in_the_docs_is_true() -> None:
    page = (Path(__file__).parents[2] / "docs" / "dashboard.md").read_text(encoding="utf-8")
    live, why = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\n", ran(live))
    said = ran(why).splitlines()
    assert "With the tenth that matters most hidden" in said[0]
    assert said[2] == "(64, 35)"


async def test_what_ended_and_what_failed_are_told(model: i2e.Model) -> None:
    feed = Feed()
    urls = [f"replay:{i2e.demo_recording()}?speed=0", "virtual:?speed=max&loss=0.05", "replay:nothing.csv"]
    wearables = [Wearable(url, i2e.open_source(url)) for url in urls]
    watcher = Watcher(feed, wearables, model)
    async with watcher.polling():
        async for wearable, decision in classify_all(wearables, model):
            watcher.write(wearable.name, decision)
    watcher.tell()
    told = [json.loads(panel.stats) for panel in feed._panels.values()]
    assert [each["state"] for each in told] == ["ended", "ended", "failed"]
    assert "nothing.csv" in told[2]["error"]
    assert told[0]["lost"] == 0 < told[1]["lost"] < 0.1
    assert told[0]["gaps"] == 0 < told[1]["gaps"]


async def test_a_port_in_use_is_told() -> None:
    async with a_dashboard() as dashboard:
        with pytest.raises(Img2ImuError, match="another port"):
            async with Dashboard(a_feed(), Address("127.0.0.1", int(host_of(dashboard.url).split(":")[1]))):
                pass


async def test_an_address_that_is_none_is_told_as_that() -> None:
    with pytest.raises(Img2ImuError, match=r"no such address .* one of this computer's, or 0\.0\.0\.0"):
        async with Dashboard(a_feed(), Address("no host", 0)):
            pass
