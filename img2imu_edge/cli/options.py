"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON lines for machines instead of pictures.")]
ModelOption = Annotated[
    str, typer.Option("--model", "-m", help="A model file (.onnx, .tflite) or a shipped name: shoulder.")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", "-o", help="Also write each decision as a line of JSON to this file.")
]
