"""An export's figures as a file: one HTML page that needs nothing else, or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from img2imu_edge.card import ModelCard
from img2imu_edge.whole import write_whole
from img2imu_export.auto import Choice
from img2imu_export.evidence import Evidence
from img2imu_export.extras import need
from img2imu_export.layers import added_noise
from img2imu_export.pipeline import Export
from img2imu_export.targets import Options


def write(
    path: Path,
    card: ModelCard,
    made: Sequence[Export],
    evidence: Evidence,
    options: Options,
    choice: Choice | None = None,
) -> None:
    """Write a report.

    Args:
        path: A name that ends in `.html` or `.json`.
        card: The checkpoint's.
        made: What was exported.
        evidence: What it was compared on.
        options: What was asked for.
        choice: Of `auto`, if it chose.

    Raises:
        MissingExtraError: If jinja2 is not installed, for a page.
        ModelError: If it cannot be written.
    """
    told = contents(card, made, evidence, options, choice)
    text = json.dumps(told, indent=2, ensure_ascii=False) if path.suffix == ".json" else render(told)
    write_whole(path, text.encode("utf-8"))


def contents(
    card: ModelCard,
    made: Sequence[Export],
    evidence: Evidence,
    options: Options,
    choice: Choice | None = None,
) -> dict[str, Any]:
    """All figures as plain data, for JSON; shares from 0 to 1, times in ms, sizes in bytes."""
    return {
        "model": card.name,
        "input": options.form,
        "windows": len(evidence.samples),
        "people": list(evidence.people),
        "kept_out_of_training": evidence.strangers,
        "calibration_windows": len(evidence.calibration),
        "labels": list(card.labels),
        "notices": evidence.notices,
        "choice": str(choice) if choice else None,
        "variants": [_variant(one) for one in made],
    }


def render(told: dict[str, Any]) -> str:
    """The page of `contents`. Every name in it is escaped; the same contents give the same bytes."""
    jinja2 = need("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("img2imu_export", "template"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The training's report and this one are read side by side: one style.
    style = (files("img2imu_training.report") / "template" / "style.css").read_text(encoding="utf-8")
    page: str = environment.get_template("report.html").render(told=told, style=style)
    return page


def _variant(one: Export) -> dict[str, Any]:
    found: dict[str, Any] = {
        "target": one.name,
        "size": one.size,
        "graph_size": len(one.converted.graph),
        "quantisation": one.converted.quantisation,
        "kept_float": list(one.options.keep_float),
        "objections": list(one.objections),
        "files": [str(path) for path in one.files],
        "layers": [
            {"name": layer.name, "sqnr_db": round(layer.sqnr_db, 2)} for layer in one.converted.layers
        ],
        "noisiest": max((noise := added_noise(one.converted.layers)), key=noise.__getitem__, default=None),
        "compared": None,
    }
    if (c := one.comparison) is not None:
        found["compared"] = {
            "agreement": c.agreement,
            "unknown_agreement": c.unknown_agreement,
            "logit_error_max": c.max_error,
            "logit_error_mean": c.mean_error,
            "macro_f1": c.f1,
            "macro_f1_float": c.float_f1,
            "class_f1": list(c.class_f1),
            "class_f1_float": list(c.float_class_f1),
            "class_windows": list(c.class_windows),
            "milliseconds": c.milliseconds,
            "relative_time": c.relative_time,
        }
    return found
