"""The dashboard's "Why?", in a genuine browser, and from clients that mean no good."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

import img2imu_edge as i2e
from img2imu_edge.dashboard import Address, Dashboard, Feed, Watcher
from img2imu_edge.dashboard.held import Held
from img2imu_edge.dashboard.why import Question
from img2imu_edge.decision import Decision
from img2imu_edge.runner import Wearable, classify_all
from img2imu_edge.session import Session
from tests.e2e.browser import TOKEN, browser_page, live, until

PANEL = "document.querySelector('.why p').textContent"


class Watched:
    """Wearables that have been listened to up to a time, and the dashboard that shows them."""

    def __init__(self, model: i2e.Model, *sources: str) -> None:
        self.feed, self.model = Feed(), model
        names = ["left", "right", "third"]
        self.wearables = [
            Wearable(name, i2e.open_source(url)) for name, url in zip(names, sources, strict=False)
        ]
        self.watcher = Watcher(self.feed, self.wearables, model)
        self.decisions: list[Decision] = []

    async def listen(self, until_s: float = 1e9) -> None:
        async with contextlib.aclosing(classify_all(self.wearables, self.model)) as decisions:
            async for each, decision in decisions:
                self.watcher.write(each.name, decision)
                self.decisions.append(decision)
                if decision.time > until_s:
                    return

    @contextlib.asynccontextmanager
    async def shown(self, token: str = "") -> AsyncIterator[str]:
        address = Address("127.0.0.1", 0, token)
        async with Dashboard(self.feed, address) as dashboard, self.watcher.polling():
            yield dashboard.url

    @property
    def answered(self) -> int:
        return self.watcher._explainer.answered


def question(decision: Decision, **changed: Any) -> str:
    label = decision.label if decision.status == "ok" else None
    return json.dumps({"why": 0, "time": decision.time, "label": label, **changed})


async def answer(browser: Any) -> dict[str, Any]:
    """The next answer among all that a browser is told."""
    async with asyncio.timeout(20):
        while True:
            told = await browser.recv()
            if isinstance(told, str) and (message := json.loads(told))["type"] == "why":
                return dict(message)


@pytest.fixture
async def watched(model: i2e.Model) -> Watched:
    watched = Watched(model, f"replay:{i2e.demo_recording()}?speed=40")
    await watched.listen(40.0)
    return watched


async def heat(page: Any) -> list[float]:
    """Size of the explanation's canvas, its colours, and how much of it glows."""
    script = """canvas => {
        const {width, height} = canvas, {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
        const words = new Uint32Array(data.buffer);
        let glowing = 0;
        for (let i = 0; i < data.length; i += 4) glowing += data[i] > data[i + 2] + 60;
        return [width, height, new Set(words).size, glowing / (width * height)];
    }"""
    return list(await page.eval_on_selector(".why canvas", script))


@pytest.mark.parametrize("width", [360, 1200])
async def test_a_key_press_shows_why(watched: Watched, width: int) -> None:
    async with watched.shown() as url, browser_page(viewport={"width": width, "height": 900}) as page:
        await page.goto(url)
        await until(page, "!!document.querySelector('article.started')")
        assert not await page.is_visible(".why")
        await page.focus(".why-button")
        await page.keyboard.press("Enter")
        await until(page, f"{PANEL}.includes('With the tenth that matters most hidden')")
        label = watched.decisions[-1].label
        assert label
        said = await page.evaluate(PANEL)
        assert said.startswith(label.replace("_", " ") + ", ")
        assert await page.get_attribute(".why canvas", "aria-label") == said
        assert await page.get_attribute(".why-button", "aria-expanded") == "true"
        columns, height, colours, glowing = await heat(page)
        assert (columns, height) == (35, 64)
        assert colours > 50
        assert 0.02 < glowing < 0.7
        shares = [int(text.split()[0]) for text in await page.locator(".shares span").all_inner_texts()]
        assert len(shares) == 6
        assert 96 <= sum(shares) <= 104
        assert await page.evaluate("document.documentElement.scrollWidth") == width
        await page.keyboard.press("Escape")
        assert not await page.is_visible(".why")
        assert await page.evaluate("document.activeElement.className") == "why-button"
        assert page.errors == []
    assert watched.answered == 1


async def test_a_decision_of_the_timeline_is_explained_with_mouse_and_keys(watched: Watched) -> None:
    async with watched.shown() as url, browser_page() as page:
        await page.goto(url)
        await until(page, "cards[0]?.now > 0")
        await page.focus(".timeline")
        for key in ("End", "ArrowLeft", "ArrowLeft"):
            await page.keyboard.press(key)
        chosen = watched.decisions[-3]
        text = await page.get_attribute(".timeline", "aria-valuetext")
        assert text.startswith(f"{chosen.time:.1f} s: ")
        await page.keyboard.press("Enter")
        await until(page, f"{PANEL}.includes('With the tenth that matters most hidden')")
        assert (await page.inner_text(".when")).endswith(f"{chosen.time:.1f} s")
        await page.click(".why .close")
        # All were decided within a moment: the page's clock is set so that they stand side by side.
        await page.evaluate("cards[0].decisions.forEach((d, i, all) => d.at += (i - all.length) * .5)")
        await until(page, "cards[0].dirty = true")
        await page.evaluate("new Promise(done => setTimeout(done, 200))")
        width = (await page.locator(".timeline").bounding_box())["width"]
        await page.click(".timeline", position={"x": width * 0.7, "y": 20})
        await until(page, f"{PANEL}.includes('With the tenth that matters most hidden')")
        explained = await page.evaluate("cards[0].explained.time")
        assert explained < chosen.time - 5
        assert (await page.inner_text(".when")).endswith(f"{explained:.1f} s")
        assert page.errors == []


async def test_three_wearables_asked_at_once_all_get_their_answer(model: i2e.Model) -> None:
    watched = Watched(model, *[f"replay:{i2e.demo_recording()}?speed=40"] * 3)
    await watched.listen(40.0)
    async with watched.shown() as url, browser_page() as page:
        await page.goto(url)
        await until(page, "document.querySelectorAll('article.started').length === 3")
        await page.evaluate("document.querySelectorAll('.why-button').forEach(button => button.click())")
        await until(page, "document.querySelectorAll('.why.found').length === 3")
        for said in await page.locator(".why p").all_inner_texts():
            assert "With the tenth that matters most hidden" in said
        assert page.errors == []
    assert watched.answered == 3


async def test_a_page_asks_again_while_others_are_answered(watched: Watched) -> None:
    async with watched.shown() as url, browser_page() as page:
        await page.goto(url)
        await until(page, "!!document.querySelector('article.started')")
        watched.watcher._explainer._busy = True
        await page.evaluate("document.querySelector('.why-button').click()")
        await until(page, "questions.waiting.size === 1")  # it has been told to come again
        assert await page.evaluate(PANEL) == "Looking …"
        watched.watcher._explainer._busy = False
        await until(page, f"{PANEL}.includes('With the tenth that matters most hidden')")
        assert await page.evaluate("[questions.asked, questions.waiting.size]") == [None, 0]
        assert page.errors == []


async def test_what_has_no_picture_says_so(watched: Watched) -> None:
    async with watched.shown() as url, browser_page() as page:
        await page.goto(url)
        await until(page, "!!document.querySelector('article.started')")
        before = watched.decisions[-1]
        asked = "document.querySelector('.why-button').click()"
        for status, said in (("warming_up", "It is warming up"), ("gap", "Too few samples came")):
            watched.feed.decision("left", Decision(before.time, None, 0.0, 0.2, status))
            await until(page, f"cards[0].decisions.at(-1).status === '{status}'")
            await page.evaluate(asked)
            await until(page, f"{PANEL}.startsWith('{said}')")
            assert not await page.is_visible(".why figure")
        watched.feed.decision("left", Decision(before.time, "unknown", 0.0, 1.0, "unknown", before.scores, 9))
        await until(page, "cards[0].decisions.at(-1).status === 'unknown'")
        await page.evaluate(asked)
        await until(page, f"{PANEL}.startsWith('Unlike anything it was trained on; the nearest is ')")
        assert await page.is_visible(".why figure")
        watched.feed.decision("left", Decision(before.time + 99, "abduction", 0.9, 1.0, "ok"))
        await until(page, f"cards[0].decisions.at(-1).time > {before.time}")
        await page.evaluate(asked)
        await until(page, f"{PANEL}.startsWith('its picture is no longer held')")
        assert page.errors == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_the_page_can_be_read_and_used_by_all(watched: Watched, scheme: str) -> None:
    """Contrast of every text as WCAG 2.2 counts it (1.4.3: 4.5), and names for what can be operated."""
    script = """() => {
        const channel = value => (value /= 255) <= .04045 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4;
        const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
        const numbers = colour => colour.match(/[0-9.]+/g).map(Number);
        const behind = element => {
            const colour = numbers(getComputedStyle(element).backgroundColor);
            return (colour[3] ?? 1) > 0 || !element.parentElement ? colour : behind(element.parentElement);
        };
        const texts = [...document.querySelectorAll("body *")].filter(element => element.checkVisibility() &&
            [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim()));
        return texts.map(element => {
            const [a, b] = [numbers(getComputedStyle(element).color), behind(element)].map(light);
            return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), element.textContent];
        });
    }"""
    async with watched.shown() as url, browser_page(color_scheme=scheme) as page:
        await page.goto(url)
        await until(page, "!!document.querySelector('dd')")
        await page.evaluate("document.querySelector('.why-button').click()")
        await until(page, f"{PANEL}.includes('With the tenth that matters most hidden')")
        found = await page.evaluate(script)
        assert len(found) > 30
        assert [text for contrast, text in found if contrast < 4.5] == []
        controls = page.locator("button:visible, [tabindex='0']:visible")
        names = [await each.evaluate("e => e.ariaLabel || e.textContent") for each in await controls.all()]
        assert len(names) == 3
        assert all(names)
        await page.keyboard.press("Tab")
        focused = "getComputedStyle(document.activeElement).outlineWidth"
        assert await page.evaluate(focused) == "3px"


async def test_strangers_get_no_answer(watched: Watched) -> None:
    async with watched.shown(TOKEN) as url:
        async with live(url, token="wrongwrong1") as stranger:  # noqa: S106
            with contextlib.suppress(Exception):
                await stranger.send(question(watched.decisions[-1]))
            await stranger.wait_closed()
            assert stranger.close_code == 4403
        with pytest.raises(Exception, match="403"):
            await live(url, origin="http://evil.example", token=TOKEN)
        assert watched.answered == 0
        async with live(url, token=TOKEN) as ours:
            await ours.send(question(watched.decisions[-1]))
            told = await answer(ours)
            assert told["label"] == watched.decisions[-1].label
            assert len(base64.b64decode(told["image"])) == 4 * told["width"] * told["height"]
            assert watched.answered == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "why",
        "[]",
        "{}",
        "[" * 900,
        '{"why": 0, "time": 9}',
        '{"why": true, "time": 9, "label": null}',
        '{"why": 0, "time": NaN, "label": null}',
        '{"why": 0, "time": 1e999, "label": null}',
        '{"why": 0, "time": "9", "label": null}',
        '{"why": 0, "time": 9, "label": 3}',
        f'{{"why": 0, "time": {"9" * 400}, "label": null}}',
    ],
)
async def test_what_is_no_question_is_passed_over(model: i2e.Model, text: str) -> None:
    assert Question.read(text) is None
    assert await Watched(model, "virtual:").watcher.answer(text) is None


async def test_what_cannot_be_answered_is_told(watched: Watched) -> None:
    last = watched.decisions[-1]
    for index in (-1, 1, 10**30):
        assert await watched.watcher.answer(question(last, why=index)) is None
    for changed in (
        {"label": "swim"},
        {"time": 1e300},
        {"time": -5},
        {"time": 1.0},
        {"time": last.time + 99},
    ):
        told = json.loads(await watched.watcher.answer(question(last, **changed)) or "")
        assert told["problem"]
    assert watched.answered == 0


async def test_a_flood_of_questions_is_bounded_and_no_decision_is_lost(
    model: i2e.Model, offline: list[Decision]
) -> None:
    watched = Watched(model, f"replay:{i2e.demo_recording()}?speed=40")
    sent = 0

    async def flood(url: str) -> None:
        nonlocal sent
        async with live(url) as browser:
            reading = asyncio.create_task(_drain(browser))
            while True:
                text = question(watched.decisions[-1]) if watched.decisions else "{}"
                await browser.send(text)
                sent += 1
                await asyncio.sleep(0)
            reading.cancel()

    async with watched.shown() as url:
        floods = [asyncio.create_task(flood(url)) for _ in range(3)]
        await watched.listen()
        for each in floods:
            each.cancel()
        await asyncio.gather(*floods, return_exceptions=True)
    assert watched.decisions == offline
    assert 1 <= watched.answered < sent / 20


async def _drain(browser: Any) -> None:
    async for _ in browser:
        pass


@pytest.mark.parametrize("form", ["picture", "samples"])
def test_what_is_held_is_what_the_network_saw(model: i2e.Model, recording: i2e.Recording, form: str) -> None:
    from dataclasses import replace

    model = replace(model, card=replace(model.card, input=replace(model.card.input, form=form)))
    session, held = Session(model, recording.rate, recording.channels), Held(model)
    taken = 0
    windows = []
    for block in list(recording.blocks(7))[:900]:
        lossy = block if not 50 < block.times[0] < 50.3 else None  # a gap that is bridged
        if lossy is None:
            continue
        windows += session.take(lossy)
        if session.stats.restarts and not taken:
            held.begin(session.start)
        held.add(session.samples_since(taken))
        taken = session.samples_total
    assert session.stats.bridged > 0
    full = [window for window in windows if window.seen is not None]
    for window in full[-60:]:
        seen = held.window(window.time)
        assert seen is not None
        assert seen.dtype == np.float32
        assert np.allclose(seen, window.seen, atol=1e-5)
    assert held.window(full[0].time - 0.5) is None
    assert held.window(full[-1].time + 5) is None
    last = full[-1]
    held.begin(session.start + 1000)  # the device was away; what came before is still held
    held.add(np.zeros((100, 6), np.float32))
    again = held.window(last.time)
    assert again is not None
    assert np.allclose(again, last.seen, atol=1e-5)
    assert held.window(session.start + 1000 + 50 / 50) is None
