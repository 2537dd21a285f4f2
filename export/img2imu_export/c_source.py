"""A model as C source: the words of a header and an array, filled into templates."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template

import numpy as np
from numpy.typing import NDArray

from img2imu_edge.card import ModelCard, Novelty
from img2imu_edge.golden import Golden
from img2imu_edge.spectrogram import SpectrogramPlan

_ACRONYMS = {"2D": "2D", "PADV2": "PadV2", "BATCH": "Batch", "MATMUL": "MatMul"}
_PER_LINE = 24


@dataclass(frozen=True)
class Micro:
    """What a graph needs of a microcontroller.

    Attributes:
        operators: Kinds of operator, by their names in TFLite's schema.
        arena: Bytes of memory beside the graph's own; None where nothing here could measure it.
        margin: Bytes to add to it.
    """

    operators: tuple[str, ...]
    arena: int | None
    margin: int


def source(name: str, graph: bytes, card: ModelCard, golden: Golden, micro: Micro) -> dict[str, bytes]:
    """A header and a C file that hold a model.

    Args:
        name: Of the files, without an ending; it also gives the prefix of every name within.
        graph: A TFLite file.
        card: Its card.
        golden: Its golden vectors; those of the form that it takes go in, behind an `#ifdef`.
        micro: What it needs.

    Returns:
        Contents by the files' names.
    """
    lower = identifier(name)
    words = {
        **_about(name, graph, card),
        **_input(card),
        **_decision(lower, card),
        **_golden(card, golden),
        **_micro(lower, micro),
        "lower": lower,
        "upper": lower.upper(),
        "file": name,
    }
    found = {}
    for ending in (".h", ".c"):
        template = files("img2imu_export").joinpath("templates", f"mcu{ending}").read_text(encoding="utf-8")
        # Twice, for some words hold names that begin with the prefix.
        text = Template(Template(template).substitute(words)).substitute(words)
        found[f"{name}{ending}"] = text.encode("ascii")
    return found


def identifier(name: str) -> str:
    """A name as C takes it: small letters, digits and underscores, a letter first."""
    found = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return found if found[:1].isalpha() else f"model_{found}".rstrip("_")


def registration(kind: str) -> str:
    """The method of a `MicroMutableOpResolver` that registers a kind of operator."""
    return "Add" + "".join(_ACRONYMS.get(part, part.capitalize()) for part in kind.split("_"))


def _about(name: str, graph: bytes, card: ModelCard) -> dict[str, object]:
    return {
        "name": _comment(card.name),
        "description": _comment(card.description),
        "license": _comment(card.license),
        "name_string": _string(card.name),
        "license_string": _string(card.license),
        "quantisation_string": _string(card.quantisation),
        "sha256": hashlib.sha256(graph).hexdigest(),
        "model_bytes": len(graph),
        "model": _integers(np.frombuffer(graph, np.uint8)),
        "labels": ", ".join(map(_string, card.labels)),
        "channels": ", ".join(map(_string, card.input.channels)),
        "classes": len(card.labels),
    }


def _input(card: ModelCard) -> dict[str, object]:
    axes = len(card.input.channels)
    plan = SpectrogramPlan(card.spectrogram, card.input.rate, axes)
    window = plan.frame + (card.input.columns - 1) * plan.hop
    if card.input.form == "samples":
        shape: tuple[int, ...] = (1, window, axes)
        text = (
            f"Input: the last {window} samples at {card.input.rate:g} Hz, oldest first, {axes} axes each in "
            "the order of ${lower}_channels: m/s^2 for acc, rad/s for gyr. The graph draws the spectrogram "
            "itself, so that firmware needs no signal processing."
        )
    else:
        shape = (1, 3, axes // 3 * plan.rows, card.input.columns)
        text = (
            f"Input: a picture of {card.input.columns} spectrogram columns, {shape[2]} rows and 3 colours "
            "(x, y, z), colour by colour and row by row, from 0 to 1, as SpectrogramPlan in img2imu_edge "
            "draws it. A model exported with --raw takes samples instead and draws the picture itself."
        )
    return {
        "rate": _float(card.input.rate),
        "axes": axes,
        "window": window,
        "hop": card.input.hop_columns * plan.hop,
        "input_shape": ", ".join(map(str, shape)),
        "input_cells": int(np.prod(shape)),
        "is_samples": int(card.input.form == "samples"),
        "input_text": _wrapped(text),
    }


def _decision(lower: str, card: ModelCard) -> dict[str, object]:
    decision, novelty = card.decision, card.decision.novelty
    return {
        "temperature": _float(decision.temperature),
        "smoothing": _float(decision.smoothing),
        "margin": _float(decision.margin),
        "min_coverage": _float(decision.min_coverage),
        **(
            _novelty(novelty)
            if novelty
            else dict.fromkeys(("novelty_define", "novelty_declare", "novelty"), "")
        ),
        "novelty_text": _wrapped(
            "A window is unknown, and leaves the mean as it was, where its distance is above "
            "${upper}_NOVELTY_THRESHOLD: the smallest, over the classes c, of the root mean square over i of "
            "(embedding[i] - ${lower}_centroids[c][i]) / ${lower}_spread[i]."
            if novelty
            else "This model has no threshold for the unknown."
        ),
    }


def _novelty(novelty: Novelty) -> dict[str, object]:
    rows = ",\n".join(f"    {{ {_floats(centroid)} }}" for centroid in novelty.centroids)
    return {
        "novelty_define": f"#define ${{upper}}_NOVELTY_THRESHOLD {_float(novelty.threshold)}f",
        "novelty_declare": (
            "extern const float ${lower}_centroids[${upper}_CLASSES][${upper}_EMBEDDING_SIZE];\n"
            "extern const float ${lower}_spread[${upper}_EMBEDDING_SIZE];"
        ),
        "novelty": (
            "const float ${lower}_centroids[${upper}_CLASSES][${upper}_EMBEDDING_SIZE] = {\n"
            f"{rows}\n}};\n"
            f"const float ${{lower}}_spread[${{upper}}_EMBEDDING_SIZE] = {{ {_floats(novelty.spread)} }};"
        ),
    }


def _golden(card: ModelCard, golden: Golden) -> dict[str, object]:
    # As they are kept, integers and what one step stands for: no digit is lost, and they take half the flash.
    kept = np.load(io.BytesIO(golden.to_bytes()), allow_pickle=False)
    if card.input.form == "samples":
        cells, steps, place = kept["samples"], kept["scale"], "i % ${upper}_AXES"
    else:
        cells, steps, place = kept["pictures"], np.array([1 / 65535], np.float32), "0"
    rows = ",\n".join(f"    {{\n{_integers(window.ravel())}\n    }}" for window in cells)
    return {
        "embedding": golden.embeddings.shape[1],
        "golden_windows": len(golden),
        "golden_type": f"{cells.dtype.name}_t",
        "golden_scales": len(steps),
        "golden_scale": f"${{lower}}_golden_scale[{place}]",
        "golden_scale_values": _floats(steps),
        "golden_input": rows,
        "golden_logits": ",\n".join(f"    {{ {_floats(row)} }}" for row in golden.logits),
        "tolerance": _float(card.bounds.logits if card.bounds else 0.0),
    }


def _micro(lower: str, micro: Micro) -> dict[str, object]:
    if micro.arena is None:
        text = "not measured here; give the interpreter plenty, and ask its arena_used_bytes()."
        define = "/* ${upper}_ARENA_BYTES: not measured; define it to suit. */"
    else:
        size = -(-(micro.arena + micro.margin) // 16) * 16
        text = (
            f"the genuine interpreter took {micro.arena} bytes on a 64-bit machine; {micro.margin} are added "
            "for kernels that need scratch memory of their own, such as CMSIS-NN's."
        )
        define = f"#define ${{upper}}_ARENA_BYTES {size}"
    return {
        "arena_text": _wrapped(f"Memory: {text}").removeprefix(" * Memory: "),
        "arena_define": define,
        "operators": len(micro.operators),
        "add_operators": "\n".join(f"        (resolver).{registration(k)}(); \\" for k in micro.operators),
    }


def _comment(text: str) -> str:
    """Words that cannot end a comment, in ASCII."""
    plain = text.encode("ascii", "replace").decode().replace("*/", "* /").replace("/*", "/ *")
    return " ".join(plain.replace("\\", "/").replace("$", "$$").split())


def _string(text: str) -> str:
    """A C string literal: what is not plain ASCII as octal escapes of UTF-8, which end after three digits."""
    plain = [chr(b) if 32 <= b < 127 and chr(b) not in '"\\?$' else f"\\{b:03o}" for b in text.encode()]
    return f'"{"".join(plain)}"'


def _wrapped(text: str) -> str:
    """Text as lines of a comment."""
    lines, line = [], " *"
    for word in text.split():
        if len(line) + len(word) >= 112:
            lines.append(line)
            line = " *"
        line += f" {word}"
    return "\n".join([*lines, line])


def _float(value: float) -> str:
    """A number as C reads it back to the same float32, with a point or an exponent."""
    return str(np.float32(value))


def _floats(values: Sequence[float] | NDArray[np.float32]) -> str:
    return ", ".join(f"{_float(float(value))}f" for value in values)


def _integers(values: NDArray[np.integer]) -> str:
    numbers = values.tolist()
    return ",\n".join(
        ",".join(map(str, numbers[at : at + _PER_LINE])) for at in range(0, len(numbers), _PER_LINE)
    )
