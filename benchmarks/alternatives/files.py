"""Model files; those that do not come with the package are made once, for their speed alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from img2imu_training.network import Network
    from img2imu_training.train import Trained

    from img2imu_edge.card import Form, ModelCard

_ROOT = Path(__file__).parents[2]
_SHIPPED = _ROOT / "img2imu_edge" / "models"
CHECKPOINT = _ROOT / "training" / "weights" / "shoulder.safetensors"


def _state() -> str:
    """Of everything that the files are made by: with other code, they are made anew."""
    code = (path for part in ("export", "training") for path in (_ROOT / part).rglob("*.py"))
    digest = hashlib.sha256(CHECKPOINT.read_bytes())
    for path in sorted(code):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


CACHE = _ROOT / "build" / "alternatives" / _state()

FILES = {
    "tiny-int8": _SHIPPED / "shoulder.onnx",
    "tiny-tflite": _SHIPPED / "shoulder.tflite",
    "tiny-fp32": _SHIPPED / "shoulder-fp32.onnx",
    "small-int8": CACHE / "small.onnx",
    "small-tflite": CACHE / "small.tflite",
    "small-fp32": CACHE / "small-fp32.onnx",
    "samples-int8": CACHE / "samples.onnx",
    "samples-fp32": CACHE / "samples-fp32.onnx",
}
"""Networks by size and precision; `samples` is `tiny` with its front-end inside the graph."""

_LITERT = ("tflite-int8",) if find_spec("litert_torch") else ()
"""Its converter does not come for every machine."""

_TEACHERS = ("01", "02")
_PAIRS, _MOST = 400, 400
_EXAMPLES = 128


def engine_of(network: str) -> str:
    """The engine that runs an int8 network of `FILES`."""
    return "TFLite" if network.endswith("tflite") else "ONNX"


def size_of(network: str) -> str:
    """The size of a network of `FILES`."""
    return network.split("-")[0]


def make_files(tell: Callable[[str], None] = lambda what: None) -> None:
    """Make those that are not there yet: half a minute for `samples`, one or two for `small`.

    Args:
        tell: Told what is being done.

    Raises:
        MissingExtraError: If the export extra is not installed.
    """
    if not _there("samples"):
        from img2imu_training.checkpoint import load

        tell("exporting the network with its front-end in the graph")
        _export(*load(CHECKPOINT), ("onnx-int8", "onnx-fp32"), "samples", "samples")
    if not _there("small"):
        tell("teaching a network of size small a few labels")
        trained = _teach()
        tell("exporting it")
        targets = ("onnx-int8", "onnx-fp32", *_LITERT)
        _export(trained.net, trained.card, targets, "picture", "small")


def _there(name: str) -> bool:
    wanted = [path for known, path in FILES.items() if known.startswith(name)]
    return all(path.is_file() for path in wanted if path.suffix != ".tflite" or _LITERT)


def _teach() -> Trained:
    """What `img2imu finetune spar --base small` makes, of two people's recordings and with less care."""
    from img2imu_training.finetune import FinetuneOptions, gather, plan
    from img2imu_training.fit import FitOptions
    from img2imu_training.head import HeadOptions
    from img2imu_training.progress import Unwatched
    from img2imu_training.train import train

    head = HeadOptions(pairs=_PAIRS, copies=1, most=_MOST)
    options = FinetuneOptions(base="small", name="small", fit=FitOptions(head=head))
    corpus, notices = gather("spar", options)
    task = plan("spar", corpus.of(_TEACHERS), notices, options)
    return train(task.recipe, task.corpus, Unwatched(), task.learner)


def _export(net: Network, card: ModelCard, targets: tuple[str, ...], form: Form, name: str) -> None:
    from img2imu_export.evidence import gather
    from img2imu_export.pipeline import export, shown
    from img2imu_export.report import Bounds
    from img2imu_export.targets import Options, Trained, find_target

    evidence = gather(card, None, None, _EXAMPLES)
    trained = Trained(net, card, evidence.calibration, shown(card, evidence.calibration, Options()))
    export(
        trained,
        evidence,
        {target: find_target(target) for target in targets},
        Options(form=form),
        Bounds(agreement=0.9, f1_loss=0.1),  # taught so little, it is often of two minds
        CACHE,
        name,
    )
