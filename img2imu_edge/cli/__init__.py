"""The `img2imu` command. Its sub-commands are found by the entry points `img2imu.commands`."""

from __future__ import annotations

import io
import os
import sys
from importlib.metadata import entry_points, version
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from img2imu_edge.errors import Img2ImuError

_ORDER = (
    *("demo", "devices", "run", "record", "enroll", "classify"),
    *("info", "verify", "sign", "doctor", "bench"),
)


def make_app() -> typer.Typer:
    """The command with every sub-command that is installed, ours first."""
    app = typer.Typer(
        name="img2imu",
        help="Turn a wearable's motion into decisions, on the device. Start with: [bold]img2imu demo[/bold]",
        rich_markup_mode="rich",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_before)
    entries = {entry.name: entry for entry in entry_points(group="img2imu.commands")}
    rank = {name: i for i, name in enumerate(_ORDER)}
    for name in sorted(entries, key=lambda name: (rank.get(name, len(rank)), name)):
        command = entries[name].load()
        if isinstance(command, typer.Typer):  # a group of sub-commands
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"img2imu-edge {version('img2imu-edge')}")
        raise typer.Exit


def _before(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Say which version this is.", callback=_say_version, is_eager=True),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command; an error that we foresaw is one red line and exit status 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # in another encoding than UTF-8, ? stands for … and ²
            stream.reconfigure(errors="replace")
    try:
        make_app()()
    except Img2ImuError as error:
        Console(stderr=True).print(Text.assemble(("error: ", "bold red"), str(error)), soft_wrap=True)
        sys.exit(1)
    except ModuleNotFoundError as error:
        extra = next((name for name in ("export", "benchmark") if sys.argv[1:2] == [name]), "train")
        advice = f"this command needs {error.name}; get it with: pip install 'img2imu-edge[{extra}]'"
        Console(stderr=True).print(Text.assemble(("error: ", "bold red"), advice), soft_wrap=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
