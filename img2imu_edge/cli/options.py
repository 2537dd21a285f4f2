"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON lines for machines instead of pictures.")]
ModelOption = Annotated[
    str, typer.Option("--model", "-m", help="A model file (.onnx, .tflite) or a shipped name: shoulder.")
]
EnrolledOption = Annotated[
    Path | None,
    typer.Option("--enrolled", metavar="JSON", help="What img2imu enroll learned: MODEL.enrolled.json."),
]
TrustedKeyOption = Annotated[
    Path | None,
    typer.Option(
        "--trusted-key",
        metavar="PUBLIC.pem",
        help="Public key of whom the model must come from: a file that is not signed with it is refused.",
    ),
]
OutOption = Annotated[
    Path | None, typer.Option("--out", "-o", help="Also write each decision as a line of JSON to this file.")
]
OutputsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--out",
        "-o",
        metavar="PATH|URL",
        help="Also send decisions there; may be given several times: walk.jsonl, walk.csv, "
        "mqtt://broker/topic (mqtts:), ws://127.0.0.1:8766 (wss:), prometheus://127.0.0.1:9464, "
        "osc://127.0.0.1:9000, lsl:Name.",
    ),
]
DashboardFlag = Annotated[
    bool, typer.Option("--dashboard", help="Show a live page in the browser of this computer.")
]
DashboardAtOption = Annotated[
    str | None,
    typer.Option(
        "--dashboard-at",
        metavar="HOST:PORT",
        help="Show it there instead of 127.0.0.1:8765; 0.0.0.0:8765 for other computers too, with a token.",
    ),
]
DashboardTokenOption = Annotated[
    str,
    typer.Option(
        "--dashboard-token",
        metavar="TOKEN",
        envvar="IMG2IMU_DASHBOARD_TOKEN",
        help="What the page's address must have in it; for other computers one is made if there is none.",
    ),
]
