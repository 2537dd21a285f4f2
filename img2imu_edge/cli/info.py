"""`img2imu info`: what a model file says about itself."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from img2imu_edge.cli.options import JsonFlag
from img2imu_edge.model import Model, load_model


def info(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model file or a shipped name, such as shoulder.")
    ],
    json: JsonFlag = False,
) -> None:
    """Show a model's card: what it recognises, what it must be fed, where it comes from.

    Example: img2imu info shoulder
    """
    loaded = load_model(model)
    if json:
        typer.echo(loaded.card.to_json())
    else:
        _show(loaded)


def _show(model: Model) -> None:
    card = model.card
    console = Console()
    title = Text.assemble((card.name, "bold"), f": {card.description}")
    table = Table(title=title, box=None, show_header=False)
    table.add_column(style="cyan", justify="right")
    table.add_column(overflow="fold")
    window = model.window_samples / card.input.rate
    hop = card.input.hop_columns * model.plan.hop / card.input.rate
    novelty = card.decision.novelty
    rejection = f"on; wrongly rejects {novelty.false_alarm:.0%} of known motion" if novelty else "off"
    size = model.path.stat().st_size / 1e3
    rows = {
        "labels": ", ".join(card.labels),
        "channels": ", ".join(card.input.channels),
        "worn at": card.input.placement,
        "rate": f"{card.input.rate:g} Hz",
        "window": f"{window:.2f} s, a decision every {hop:.2f} s",
        **_input(model),
        "unknown motion": rejection,
        "file": f"{model.path} ({size:.0f} kB, {card.quantisation})",
        "engine": model.engine.name,
        "licence": card.license,
        **{key: _plain(value) for key, value in {**card.metrics, **card.provenance}.items()},
    }
    for key, value in rows.items():
        table.add_row(Text(key.replace("_", " ")), Text(value))
    console.print(table)


def _input(model: Model) -> dict[str, str]:
    sizes = " × ".join(map(str, model.engine.input_shape))
    if model.card.input.form == "samples":
        return {"takes": f"{sizes} samples × channels in SI units, and draws its picture itself"}
    return {"takes": f"a picture of {sizes} (colours × rows × columns)"}


def _plain(value: object) -> str:
    return value if isinstance(value, str) else jsonlib.dumps(value, ensure_ascii=False)
