"""`img2imu run`: live decisions from any source."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated

import typer

from img2imu_edge.cli.live import follow
from img2imu_edge.cli.options import JsonFlag, ModelOption, OutOption
from img2imu_edge.model import Model, load_model
from img2imu_edge.source import Source, open_source


def run(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="serial:///dev/ttyUSB0, replay:walk.csv?speed=4, virtual:?loss=0.05 …",
        ),
    ],
    model: ModelOption,
    out: OutOption = None,
    json: JsonFlag = False,
) -> None:
    """Classify a wearable's motion, live.

    The source reconnects by itself when its device goes away; what was lost meanwhile shows as coverage below
    100 %. Stop with Ctrl+C.

    Examples:
      img2imu run serial:///dev/ttyUSB0 --model shoulder

      img2imu run "replay:walk.csv?speed=4" --model walk.onnx --json

      img2imu run "virtual:?speed=10&loss=0.05" --model shoulder --out decisions.jsonl
    """
    loaded = load_model(model)
    opened = open_source(source)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(opened, loaded, json, out))


async def _run(source: Source, model: Model, json: bool, out: OutOption) -> None:
    async with source:
        await follow(source, model, json_lines=json, out=out)
