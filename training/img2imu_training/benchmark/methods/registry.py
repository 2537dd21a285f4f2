"""Methods by short name. Each is imported when it is asked for, since some need much more than others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from img2imu_edge.errors import BenchmarkError
from img2imu_edge.spec import SpectrogramSpec
from img2imu_training.benchmark.methods import Method

SENSOR_CORPUS = "motionsense"
"""What the methods that start from other people's sensors learn from; they are not measured on it."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a method may be built from.

    Attributes:
        spec: The picture of the task.
        data: Folder of the `.npz` corpora.
        cache: Folder for what methods learn once.
        base: Backbone to start from, for the methods that take one: a file, or a name that the method knows.
        label: What to call a method that starts from it.
    """

    spec: SpectrogramSpec
    data: Path | None
    cache: Path
    base: str | None = None
    label: str = ""

    def sensor_corpus(self) -> Path:
        """The recordings that sensor methods learn from.

        Raises:
            BenchmarkError: If no folder was given.
        """
        if self.data is None:
            raise BenchmarkError(
                f"methods that start from sensors need {SENSOR_CORPUS}.npz; say --data FOLDER"
            )
        return self.data / f"{SENSOR_CORPUS}.npz"


@dataclass(frozen=True, slots=True)
class Entry:
    """How to get a method.

    Attributes:
        build: Makes it.
        never_on: Corpora that it has seen before, on which it must not be measured.
        takes_base: It may be written `NAME=BASE` or `NAME=BASE@LABEL`.
    """

    build: Callable[[Surroundings], Method]
    never_on: frozenset[str] = frozenset()
    takes_base: bool = False


def _plain(place: str) -> Callable[[Surroundings], Method]:
    return lambda around: _found(place)()


def _on_pictures(place: str, **options: object) -> Callable[[Surroundings], Method]:
    return lambda around: _found(place)(around.spec, **options)


def _from_base(place: str) -> Entry:
    return Entry(lambda around: _found(place)(around.spec, around.base, around.label), takes_base=True)


def _from_sensors(place: str, **options: object) -> Entry:
    return Entry(
        lambda around: _found(place)(around.sensor_corpus(), around.cache, **options),
        never_on=frozenset({SENSOR_CORPUS}),
    )


def _found(place: str) -> Callable[..., Method]:
    """A class by `module.Class`."""
    module, name = place.rsplit(".", 1)
    kind: Callable[..., Method] = getattr(import_module(f"img2imu_training.benchmark.methods.{module}"), name)
    return kind


METHODS = {
    "ours": _from_base("ours.Ours"),
    "scratch": _from_base("scratch.Scratch"),
    "hand-crafted-forest": Entry(_plain("hand_crafted.HandCraftedForest")),
    "hand-crafted-linear": Entry(_plain("hand_crafted.HandCraftedLinear")),
    "minirocket": Entry(_plain("minirocket.MiniRocket")),
    "row-logistic": Entry(_on_pictures("row_logistic.RowLogistic")),
    "imagenet-rows": Entry(_on_pictures("imagenet.ImageNet", use="rows")),
    "imagenet-global": Entry(_on_pictures("imagenet.ImageNet", use="global")),
    "imagenet-tuned": Entry(_on_pictures("imagenet.ImageNet", use="tuned")),
    "simclr-har": _from_sensors("simclr_har.SimclrHar"),
    "simclr-har-tuned": _from_sensors("simclr_har.SimclrHar", tuned=True),
    "cpc-har": _from_sensors("cpc.CpcHar"),
    "cpc-har-tuned": _from_sensors("cpc.CpcHar", tuned=True),
}
"""By short name."""

CLASSICAL = ("hand-crafted-forest", "hand-crafted-linear", "minirocket", "row-logistic")
"""Those that need no pre-training."""


def find_method(text: str, around: Surroundings) -> Method:
    """Build a method.

    Args:
        text: A key of `METHODS`; with `=BASE` or `=BASE@LABEL` behind it where a base is taken. Without a
            label it is the base's name: of a file, without folder and suffix.
        around: What it is built from.

    Raises:
        BenchmarkError: If no method has that name, it takes no base, or the base's file is not there.
    """
    name, _, rest = text.partition("=")
    entry = _entry(name)
    if not rest:
        return entry.build(around)
    if not entry.takes_base:
        raise BenchmarkError(f"{name} starts from no base; write {name!r} alone")
    base, _, label = rest.partition("@")
    path = Path(base).expanduser()
    if path.suffix == ".safetensors":
        if not path.is_file():
            raise BenchmarkError(f"{path}, the base of {name}, is not there; make it with: img2imu pretrain")
        base, label = str(path), label or path.stem
    return entry.build(replace(around, base=base, label=label or base))


def runs_on(text: str, corpus: str) -> bool:
    """Whether a method may be measured on a corpus: not if it has learned from it.

    Raises:
        BenchmarkError: If no method has that name.
    """
    return corpus not in _entry(text.partition("=")[0]).never_on


def _entry(name: str) -> Entry:
    if name not in METHODS:
        raise BenchmarkError(f"no method is called {name!r}; there are: {', '.join(METHODS)}")
    return METHODS[name]
