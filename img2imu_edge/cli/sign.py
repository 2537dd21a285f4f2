"""`img2imu sign`: vouch for a model file, or make the keys to do so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from img2imu_edge.container import pack, unpack
from img2imu_edge.errors import ModelError
from img2imu_edge.model import read_card
from img2imu_edge.signature import fingerprint_of, new_key, signed_by
from img2imu_edge.signature import sign as signed
from img2imu_edge.whole import write_whole


def sign(
    models: Annotated[
        list[Path] | None,
        typer.Argument(metavar="MODEL", help="Model files (.onnx, .tflite).", show_default=False),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="PRIVATE.pem", help="Private key to sign with.", show_default=False),
    ] = None,
    make: Annotated[
        Path | None,
        typer.Option(
            "--new-key",
            metavar="KEY.pem",
            help="Make a pair of keys: KEY.pem to keep secret, and KEY.pub.pem to give away.",
            show_default=False,
        ),
    ] = None,
) -> None:
    r"""Sign model files, so that others can tell they are yours and unchanged.

    The signature goes into the file and covers all of it: the card is signed
    (Ed25519), and the card holds the SHA-256 of everything else.

    Whoever has your public key gives it as --trusted-key to img2imu verify,
    run or classify, or as trusted_key to load_model. A file that is not
    signed with it is then refused before any of it is run.

    Verify a file before you sign it: a signature says whom a file comes from,
    not that it is good.

    Needs: pip install 'img2imu-edge\[sign]'

    Examples:
      img2imu sign --new-key maker.pem

      img2imu sign walk.onnx walk.tflite --key maker.pem

      img2imu verify walk.onnx --trusted-key maker.pub.pem
    """
    if make is not None:
        if models or key:
            raise ModelError("--new-key makes keys and nothing else; sign in a second step, with --key")
        _make(make)
    elif models and key is not None:
        for path in models:
            _sign(path, key)
    else:
        raise ModelError(
            "name the model files and the key to sign them with: img2imu sign walk.onnx --key maker.pem "
            "(make a key with: img2imu sign --new-key maker.pem)"
        )


def _make(path: Path) -> None:
    public_path = path.with_name(f"{path.stem}.pub{path.suffix or '.pem'}")
    private, public = new_key()
    for target, content, mode in ((path, private, 0o600), (public_path, public, 0o644)):
        try:
            # Made anew or not at all, and never readable by others for a moment.
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError as error:
            raise ModelError(f"{target} is there already; name another file, or move that one") from error
        except OSError as error:
            raise ModelError(f"{target} cannot be written: {error.strerror}") from error
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    console = Console()
    console.print(f"private key  {path}  keep it secret, and a copy safe", markup=False, soft_wrap=True)
    told = f"public key   {public_path}  give it away; fingerprint {fingerprint_of(public)}"
    console.print(told, markup=False, soft_wrap=True)


def _sign(path: Path, key: Path) -> None:
    try:
        parts = unpack(path.read_bytes())
        read_card(parts)  # a damaged file is not signed
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    done = signed(parts, key)
    write_whole(path, pack(done))
    Console().print(f"{path}  signed with the key {signed_by(done)}", markup=False, soft_wrap=True)
