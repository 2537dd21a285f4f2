"""The documentation as a site: it builds without a warning, needs no network, its links lead somewhere."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from importlib.metadata import entry_points
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import typer

import img2imu_edge as i2e
from tests.e2e.chromium import chromium

pytest.importorskip("material", reason="the dependency group `docs` is not installed")

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The site, and what its builder said."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder, done.stderr


@pytest.fixture(scope="module")
def site(built: tuple[Path, str]) -> Path:
    return built[0]


class Reader(HTMLParser):
    """What a page links to, what it loads, and the places in it that can be linked to."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.anchors |= {told[name] for name in ("id", "name") if name in told}
        if tag == "a" and "href" in told:
            self.links.append(told["href"])
        if "src" in told:
            self.loads.append(told["src"])
        if tag == "link" and told.get("rel") in ("stylesheet", "icon", "preload", "modulepreload"):
            self.loads.append(told["href"])


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Reader]:
    return {page: Reader(page) for page in site.rglob("*.html")}


def test_it_builds_without_a_warning(built: tuple[Path, str]) -> None:
    said = [line for line in built[1].splitlines() if not line.startswith("INFO")]
    assert said == []
    assert "Documentation built" in built[1]
    assert "not in the nav" not in built[1]


def test_every_page_is_in_the_navigation_and_is_there(site: Path) -> None:
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    nav = config[config.index("\nnav:") : config.index("\nextra:")]
    listed = re.findall(r": ([\w/-]+\.md)$", nav, re.MULTILINE)
    outside = dict(re.findall(r"^    ([\w-]+\.md): (\S+)$", config, re.MULTILINE))
    assert outside["protocol.md"] == "firmware_bridge/PROTOCOL.md"
    inside = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert sorted(listed) == sorted(inside | set(outside))
    home = (site / "index.html").read_text(encoding="utf-8")
    for name in listed:
        page = PurePosixPath(name).with_suffix(".html")
        assert (site / page).stat().st_size > 5000
        assert f'href="{page}"' in home, name


def test_links_and_anchors_lead_somewhere(site: Path, pages: dict[Path, Reader]) -> None:
    checked = 0
    for page, read in pages.items():
        if page.name == "404.html":  # its links begin at the root of a server
            continue
        for link in read.links:
            parts = urlsplit(link)
            if parts.scheme:
                assert parts.scheme == "https", link
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            assert target.is_relative_to(site.resolve()), f"{page.name}: {link}"
            assert target.is_file(), f"{page.name}: {link}"
            if parts.fragment and target.suffix == ".html":
                there = pages[site / target.relative_to(site.resolve())].anchors
                assert unquote(parts.fragment) in there, f"{page.name}: {link}"
            checked += 1
    assert checked > 2000


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Reader]) -> None:
    loads = {load for read in pages.values() for load in read.loads}
    assert any(load.endswith("assets/site.css") for load in loads)
    assert [
        load for load in loads if urlsplit(load).scheme not in ("", "data") or load.startswith("//")
    ] == []
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert re.findall(r"url\(\s*['\"]?(?:https?:)?//[^)]*\)|@import[^;]*", text) == []


def test_what_lies_outside_is_shown_and_linked(site: Path) -> None:
    protocol = (site / "protocol.html").read_text(encoding="utf-8")
    assert "The img2imu wire protocol, version 1" in protocol
    assert 'href="firmware.html"' in protocol  # PROTOCOL.md says firmware/README.md
    devices = (site / "devices.html").read_text(encoding="utf-8")
    shown = "source/firmware_bridge/img2imu_bridge/profiles/devices.html"
    assert f'href="{shown}"' in devices
    assert "muse.toml" in (site / shown).read_text(encoding="utf-8")


def test_the_interface_is_whole() -> None:
    told = " ".join(
        path.read_text(encoding="utf-8") for path in (*DOCS.glob("api/*.md"), DOCS / "model-card.md")
    )
    documented = {name.rsplit(".", 1)[-1] for name in re.findall(r"^::: (\S+)", told, re.MULTILINE)}
    assert set(i2e.__all__) - documented == set()


def test_commands_that_pages_name_exist() -> None:
    known = {entry.name for entry in entry_points(group="img2imu.commands")}
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named: set[str] = set()
    for path in (ROOT / "README.md", *DOCS.rglob("*.md")):
        code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", path.read_text(encoding="utf-8"), re.DOTALL))
        found = set(re.findall(r"(?:^|[`/ ])img2imu ([a-z]\w*)", code, re.MULTILINE))
        assert found <= known, path.name
        named |= found
        assert set(re.findall(r"(?:^|`)make ([a-z][\w-]*)", code, re.MULTILINE)) <= set(targets), path.name
    assert named > {"demo", "run", "classify", "finetune", "export", "verify", "doctor"}


def options(command: Any) -> set[str]:
    """All options of a command, those of its own commands included."""
    own = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return own.union(*(options(one) for one in getattr(command, "commands", {}).values()))


def test_options_that_pages_name_exist() -> None:
    known = {}
    for entry in entry_points(group="img2imu.commands"):
        app = entry.load()
        if not isinstance(app, typer.Typer):
            function, app = app, typer.Typer()
            app.command()(function)
        known[entry.name] = options(typer.main.get_command(app))
    checked = 0
    for path in (ROOT / "README.md", *DOCS.rglob("*.md")):
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(r"(?:^|[`/$ ])img2imu ([a-z]+ [^`\n#]*)", text, re.MULTILINE):
            command, *words = line.split()
            named = {word for word in words if re.fullmatch(r"--[a-z][\w-]*", word)}
            if command in known:
                assert named <= known[command], f"{path.name}: img2imu {line}"
                checked += len(named)
    assert checked > 100


SNIPPETS = re.compile(r"^```(python|sh|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def run(kind: str, text: str, folder: Path) -> str:
    command = {"python": [sys.executable, "-W", "error", "-c", text], "sh": ["sh", "-e", "-c", text]}[kind]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": path, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_quick_start_runs_as_it_stands(tmp_path: Path) -> None:
    snippets = SNIPPETS.findall((DOCS / "quick-start.md").read_text(encoding="utf-8"))
    runnable = [(kind, text) for kind, text in snippets if kind != "console"]
    said = [run(kind, text, tmp_path) for kind, text in runnable]
    assert [kind for kind, _ in runnable] == ["sh", "sh", "python", "sh", "python", "python", "python"]
    verified, live, _, recorded, last, stream, still = said
    assert "shoulder.onnx  ok" in verified
    assert "bent_over_row" in live
    assert (tmp_path / "decisions.csv").read_text(encoding="utf-8").count("abduction") > 40
    assert "bent_over_row" in recorded
    assert last.count("bent_over_row") == 3
    assert "trapezius_row" in stream
    assert still.splitlines()[-1].split()[1:] == ["unknown", "unknown"]
    assert [text.split("\n")[0] for kind, text in snippets if kind == "console"][:2] == [
        "make demo",
        "pip install .",
    ]


def test_the_page_on_the_card_shows_the_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (DOCS / "model-card.md").read_text(encoding="utf-8")
    ((_, shell),) = SNIPPETS.findall(page)
    assert "Seven shoulder" in run("sh", shell, tmp_path)
    monkeypatch.syspath_prepend(str(DOCS))
    import card

    assert card.BLOCK.search(page)[0] == card.example(), "run: python docs/card.py"
    assert len(json.loads(card.example())["labels"]) == 7


def test_the_pictures_are_what_the_front_end_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(
        "torch", reason="the extra `train` is not installed: pre-training's variations need it"
    )
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    import numpy as np

    monkeypatch.syspath_prepend(str(DOCS / "gallery"))
    import draw

    shipped = {path.name for path in (DOCS / "gallery").iterdir() if path.suffix in (".png", ".svg")}
    assert sum((DOCS / "gallery" / name).stat().st_size for name in shipped) < 300_000
    draw.main(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == shipped
    for name in sorted(shipped):
        again, then = tmp_path / name, DOCS / "gallery" / name
        advice = f"{name}: run python docs/gallery/draw.py"
        if name.endswith(".png"):
            one, other = (np.asarray(image.open(path)).astype(int) for path in (again, then))
            assert one.shape == other.shape
            assert abs(one - other).max() <= 2, advice  # another CPU rounds otherwise
        else:  # what is said, and where; confidences may differ in the last digit
            texts = [
                re.findall(r"<text.*?</text>", path.read_text(encoding="utf-8")) for path in (again, then)
            ]
            assert texts[0] == texts[1], advice


@contextlib.asynccontextmanager
async def browser_page(**options: Any) -> AsyncIterator[Any]:
    """A page of the system's Chromium without a network; `page.trouble` has what went wrong in it."""
    async with chromium() as browser:
        context = await browser.new_context(offline=True, **options)
        page = await context.new_page()
        page.trouble = []
        page.on("pageerror", lambda error: page.trouble.append(str(error)))
        page.on("console", lambda said: page.trouble.append(said.text) if said.type == "error" else None)
        page.on("requestfailed", lambda request: page.trouble.extend(failed(request)))
        page.on("request", lambda request: page.trouble.extend(foreign(request.url)))
        yield page


def failed(request: Any) -> list[str]:
    """What could not be loaded; to leave a page before its icon has come is no failure."""
    return [] if request.failure == "net::ERR_ABORTED" else [f"{request.url}: {request.failure}"]


def foreign(url: str) -> list[str]:
    """What was asked of anything but the folder."""
    return [] if urlsplit(url).scheme in ("file", "data", "blob") else [url]


async def test_every_page_fits_a_phone_and_asks_for_nothing(site: Path, pages: dict[Path, Reader]) -> None:
    opened = 0
    async with browser_page(viewport={"width": 375, "height": 800}, color_scheme="light") as page:
        for path in sorted(pages):
            if path.name == "404.html" or path.is_relative_to(site / "source"):
                continue
            await page.goto(path.as_uri())
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 375, f"{path.name} is {wide} pixels wide"
            opened += 1
        assert page.trouble == []
    assert opened > 30


@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_it_follows_the_systems_colours(site: Path, colours: str) -> None:
    async with browser_page(viewport={"width": 1280, "height": 900}, color_scheme=colours) as page:
        await page.goto((site / "architecture.html").as_uri())
        ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(14, 17, 22)"}[colours]
        drawings = page.locator("article img")
        assert await drawings.count() == 2
        shown = [
            await drawings.nth(i).get_attribute("src") for i in (0, 1) if await drawings.nth(i).is_visible()
        ]
        assert shown == [f"architecture.svg#only-{colours}"]
        assert page.trouble == []


async def test_the_search_works_from_a_folder(site: Path) -> None:
    async with browser_page(viewport={"width": 1280, "height": 900}) as page:
        await page.goto((site / "index.html").as_uri())
        await page.fill(".md-search__input", "watchdog")
        found = page.locator(".md-search-result__link")
        await found.first.wait_for()
        leads = await found.evaluate_all("links => links.map(link => link.href)")
        assert any("raspberry-pi.html" in link for link in leads)
        assert page.trouble == []
