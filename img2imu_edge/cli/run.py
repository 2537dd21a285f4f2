"""`img2imu run`: live decisions from any source."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator
from typing import Annotated

import typer
from rich.console import Console

from img2imu_edge.cli.live import Watch, follow, follow_all
from img2imu_edge.cli.options import (
    DashboardAtOption,
    DashboardFlag,
    DashboardTokenOption,
    EnrolledOption,
    JsonFlag,
    ModelOption,
    OutputsOption,
    TrustedKeyOption,
)
from img2imu_edge.dashboard import DEFAULT, Address, Dashboard, Feed, Watcher
from img2imu_edge.enrol.apply import load_personal
from img2imu_edge.errors import SourceError
from img2imu_edge.model import Model
from img2imu_edge.options import without_secrets
from img2imu_edge.runner import Wearable
from img2imu_edge.service import serving
from img2imu_edge.session import Session
from img2imu_edge.sinks import open_sink
from img2imu_edge.sinks.jsonl import JsonLinesSink
from img2imu_edge.sinks.outlets import Outlets
from img2imu_edge.source import open_source


def run(
    source: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="serial:///dev/ttyUSB0, replay:walk.csv?speed=4, virtual:?loss=0.05 …; or several of them.",
        ),
    ],
    model: ModelOption,
    enrolled: EnrolledOption = None,
    out: OutputsOption = None,
    json: JsonFlag = False,
    dashboard: DashboardFlag = False,
    dashboard_at: DashboardAtOption = None,
    dashboard_token: DashboardTokenOption = "",
    trusted_key: TrustedKeyOption = None,
) -> None:
    """Classify a wearable's motion, live; or that of several, with one model.

    A source reconnects by itself when its device goes away; what was lost
    meanwhile shows as coverage below 100 %. One that fails for good disturbs no
    other, and the exit status is 1 in the end. Stop with Ctrl+C.

    Examples:
      img2imu run serial:///dev/ttyUSB0 --model shoulder

      img2imu run "replay:walk.csv?speed=4" --model walk.onnx --json

      img2imu run ble:Left "virtual:?loss=0.05" --model shoulder --out both.jsonl

      img2imu run ble:MyBand --model shoulder --dashboard

      img2imu run ble:MyBand -m shoulder -o mqtt://broker/wrist -o wrist.csv
    """
    loaded = load_personal(model, enrolled, trusted_key)
    address = Address.read(dashboard_at or DEFAULT, dashboard_token) if dashboard or dashboard_at else None
    # A source's name goes to all outputs; its token must not.
    wearables = [Wearable(without_secrets(url), open_source(url)) for url in source]
    if len({wearable.name for wearable in wearables}) < len(source):
        raise SourceError("a source is given twice; each device can be listened to once")
    for wearable in wearables:
        if hint := getattr(wearable.source, "hint", ""):  # of one that waits to be called
            Console(stderr=True).print(hint, style="dim", markup=False)
    outlets = Outlets(
        [*[open_sink(each, loaded.card.labels) for each in out or ()], *[JsonLinesSink()] * json]
    )
    try:
        with outlets, contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
            asyncio.run(_run(wearables, loaded, json, outlets, address))
    finally:
        for url, text in outlets.farewell:
            Console(stderr=True).print(f"{url}: {text}", style="yellow", markup=False, soft_wrap=True)
    failed = [wearable for wearable in wearables if wearable.error]
    if failed:
        raise SourceError("\n".join(f"{wearable.name}: {wearable.error}" for wearable in failed))


async def _run(
    wearables: list[Wearable], model: Model, json: bool, outlets: Outlets, address: Address | None
) -> None:
    main = asyncio.current_task()
    with contextlib.suppress(NotImplementedError):  # on Windows
        if main:  # as systemd stops it: outputs get what waits, as with Ctrl+C
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main.cancel)
    async with serving(), _dashboard(wearables, model, address) as watch:
        if len(wearables) > 1:
            await follow_all(wearables, model, json_lines=json, outlets=outlets, watch=watch)
            return
        wearable = wearables[0]
        async with wearable.source as source:
            session = wearable.session = Session(model, source.info.rate, source.info.channels)
            await follow(
                *(source, model),
                json_lines=json,
                outlets=outlets,
                session=session,
                watch=lambda _, decision: watch(wearable.name, decision),
            )


@contextlib.asynccontextmanager
async def _dashboard(
    wearables: list[Wearable], model: Model, address: Address | None
) -> AsyncGenerator[Watch]:
    """The dashboard, if there is an address for it, and what is to be told of each decision."""
    if address is None:
        yield lambda source, decision: None
        return
    feed = Feed()
    watcher = Watcher(feed, wearables, model)
    async with Dashboard(feed, address) as dashboard, watcher.polling():
        Console(stderr=True).print(f"dashboard: {dashboard.url}", markup=False, soft_wrap=True)
        yield watcher.write
