"""A model as C source: compiled by a genuine compiler, run by the genuine interpreter of microcontrollers."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from img2imu_edge.card import Bounds, ModelCard
from img2imu_edge.container import CARD, GOLDEN, unpack
from img2imu_edge.engines.litert import LiteRtEngine
from img2imu_edge.errors import ModelError
from img2imu_edge.golden import Golden

pytest.importorskip("torch")
pytest.importorskip("litert_torch")
pytest.importorskip("tflite_micro")

from img2imu_export import micro
from img2imu_export.c_source import identifier, registration
from img2imu_export.evidence import gather
from img2imu_export.mcu import Mcu
from img2imu_export.seal import golden
from img2imu_export.targets import Options, Trained

STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]

if shutil.which("cc"):
    COMPILER = ["cc"]
elif find_spec("ziglang"):
    COMPILER = [sys.executable, "-m", "ziglang", "cc"]
else:
    pytest.skip("there is no C compiler", allow_module_level=True)


@dataclass(frozen=True)
class Exported:
    """What the target wrote, and what it wrote it from."""

    folder: Path
    files: dict[str, bytes]
    graph: bytes
    card: ModelCard
    golden: Golden
    samples: np.ndarray
    target: Mcu


@pytest.fixture(scope="module")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The small network with its front-end in the graph, by name of a file that is no name in C."""
    from img2imu_training.checkpoint import load
    from img2imu_training.windows import pictures

    from img2imu_edge.spectrogram import SpectrogramPlan

    net, card = load(checkpoint)
    evidence = gather(card, None, None, 48)
    plan = SpectrogramPlan(card.spectrogram, card.input.rate, len(card.input.channels))
    trained = Trained(net, card, evidence.calibration, pictures(evidence.calibration, plan))
    target = Mcu()
    converted = target.convert(trained, Options(form="samples"))
    vectors = golden(net, card, evidence.samples)
    sealed = replace(
        card,
        name='exercises "*/ at $5',  # what a comment, a string or a template could stumble over
        input=replace(card.input, form="samples"),
        quantisation=converted.quantisation,
        bounds=Bounds(picture=1e-4, logits=1.0),
        sha256={"graph": hashlib.sha256(converted.graph).hexdigest()},
    )
    files = target.files("5-exercises", converted.graph, sealed, vectors)
    folder = tmp_path_factory.mktemp("mcu")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    assert [layer.name for layer in converted.layers] == [f"backbone.stages.{n}" for n in range(4)] + [
        "project"
    ]
    assert all(20 < layer.sqnr_db < 60 for layer in converted.layers)
    return Exported(folder, files, converted.graph, sealed, vectors, evidence.samples, target)


def test_three_files_and_the_first_is_a_model_file(exported: Exported) -> None:
    assert set(exported.files) == {"5-exercises-mcu.tflite", "5-exercises.h", "5-exercises.c"}
    parts = unpack(exported.files["5-exercises-mcu.tflite"])
    assert parts.graph == exported.graph
    assert set(parts.attachments) == {CARD, GOLDEN}


def test_the_genuine_interpreter_computes_what_litert_does(exported: Exported) -> None:
    there, here = exported.target.engine(exported.graph), LiteRtEngine(exported.graph)
    assert isinstance(there, micro.MicroEngine)
    assert (there.form, there.input_shape, there.classes, there.embedding_size) == (
        "samples", here.input_shape, here.classes, here.embedding_size,
    )  # fmt: skip
    shown = exported.samples[::20]
    ours, theirs = there.run_many(shown), here.run_many(shown)
    # The embedding is int8 before its bias is added: kernels that round otherwise are a step or two apart.
    step = embedding_step(exported.graph)
    assert step > 0
    assert np.abs(ours.embedding - theirs.embedding).max() <= 2.01 * step
    assert np.mean(ours.logits.argmax(axis=1) == theirs.logits.argmax(axis=1)) >= 0.95


def embedding_step(graph: bytes) -> float:
    """What one step of the int8 embedding stands for."""
    from ai_edge_litert.interpreter import Interpreter

    details = Interpreter(model_content=graph).get_tensor_details()
    size = LiteRtEngine(graph).embedding_size
    (step,) = (
        d["quantization"][0] for d in details if d["dtype"] == np.int8 and d["shape"].tolist() == [1, size]
    )
    return float(step)


def test_memory_is_what_the_interpreter_needs(exported: Exported) -> None:
    from tflite_micro import runtime

    needed = micro.arena(exported.graph)
    assert needed < 128 * 1024
    engine = runtime.Interpreter.from_bytes(exported.graph, arena_size=needed + 16)
    assert engine.get_input_details(0)["shape"].tolist() == [1, *exported.samples.shape[1:]]
    with pytest.raises(RuntimeError):
        runtime.Interpreter.from_bytes(exported.graph, arena_size=needed - 1024)


def test_operators_are_those_that_every_version_has(exported: Exported) -> None:
    kinds = micro.operators(exported.graph)
    assert {"CONV_2D", "FULLY_CONNECTED", "LOG", "NEG", "MINIMUM", "RELU"} <= set(kinds)
    assert not {"REDUCE_MIN", "RELU_0_TO_1"} & set(kinds)
    header = exported.files["5-exercises.h"].decode()
    for kind in kinds:
        assert f"(resolver).{registration(kind)}();" in header
    assert f"MODEL_5_EXERCISES_OPERATORS {len(kinds)}\n" in header


def test_an_operator_that_is_lacking_is_named(exported: Exported) -> None:
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(exported.graph))
    (code,) = (c for c in model.operatorCodes if c.builtinCode == schema.BuiltinOperator.RELU)
    code.builtinCode, code.deprecatedBuiltinCode = schema.BuiltinOperator.RELU_0_TO_1, 127
    with pytest.raises(ModelError, match="RELU_0_TO_1"):
        micro.MicroEngine(bytes(flatbuffer_utils.convert_object_to_bytearray(model)))


USER = """
#include <stdio.h>
#include "5-exercises.h"
#define M(name) MODEL_5_EXERCISES_##name
int main(int argc, char **argv) {
    FILE *file;
    size_t w, i;
    const int32_t shape[] = M(INPUT_SHAPE);
    if (argc != 3) return 1;
    file = fopen(argv[1], "wb");
    if (!file || fwrite(model_5_exercises_model, 1, M(MODEL_BYTES), file) != M(MODEL_BYTES)) return 2;
    fclose(file);
    file = fopen(argv[2], "wb");
    for (w = 0; w < M(GOLDEN_WINDOWS); w++)
        for (i = 0; i < M(INPUT_CELLS); i++) {
            float cell = (float)model_5_exercises_golden_input[w][i]
                * model_5_exercises_golden_scale[i % M(AXES)];
            fwrite(&cell, sizeof cell, 1, file);
        }
    for (w = 0; w < M(GOLDEN_WINDOWS); w++)
        fwrite(model_5_exercises_golden_logits[w], sizeof(float), M(CLASSES), file);
    fclose(file);
    printf("%s\\n%s\\n%s\\n%s\\n", M(NAME), M(LICENSE), M(QUANTISATION), M(SHA256));
    printf("%.6g %d %d %d\\n", (double)M(RATE_HZ), M(AXES), M(WINDOW_SAMPLES), M(HOP_SAMPLES));
    printf("%d %d %d\\n", (int)shape[0], (int)shape[1], (int)shape[2]);
    printf("%d %d %d %d\\n", M(CLASSES), M(EMBEDDING_SIZE), M(LOGITS), M(EMBEDDING));
    printf("%d %.6g\\n", M(ARENA_BYTES), (double)M(GOLDEN_TOLERANCE));
    printf("%d\\n", (int)((size_t)model_5_exercises_model % 16));
    for (i = 0; i < M(CLASSES); i++) printf("%s ", model_5_exercises_labels[i]);
    for (i = 0; i < M(AXES); i++) printf("%s ", model_5_exercises_channels[i]);
    return 0;
}
"""


@pytest.mark.parametrize(
    ("model", "user"),
    [(["-std=c99"], ["-std=c99"]), (["-std=c11"], ["-x", "c++", "-std=c++11"])],
    ids=["c", "c++"],
)
def test_a_compiled_program_holds_the_very_model(
    exported: Exported, tmp_path: Path, model: list[str], user: list[str]
) -> None:
    (tmp_path / "user.c").write_text(USER)
    define, include = "-DMODEL_5_EXERCISES_GOLDEN", f"-I{exported.folder}"
    objects = []
    for options, source in ((model, exported.folder / "5-exercises.c"), (user, tmp_path / "user.c")):
        objects.append(str(tmp_path / f"{source.stem}.o"))
        build([*options, *STRICT, define, include, "-c", str(source), "-o", objects[-1]])
    build([*objects, "-o", str(tmp_path / "user")])
    done = subprocess.run(
        [tmp_path / "user", tmp_path / "model", tmp_path / "golden"], capture_output=True, check=True
    )
    card, vectors = exported.card, exported.golden
    name, license_, how, sha256, rate, shape, sizes, needs, aligned, names = done.stdout.decode().splitlines()
    assert [name, license_, how] == [card.name, card.license, card.quantisation]
    assert sha256 == card.sha256["graph"]
    assert rate.split() == ["50", "6", str(vectors.samples.shape[1]), "25"]
    assert shape.split() == ["1", *map(str, vectors.samples.shape[1:])]
    assert sizes.split() == ["7", str(vectors.embeddings.shape[1]), "0", "1"]
    arena, tolerance = needs.split()
    assert int(arena) > micro.arena(exported.graph)
    assert float(tolerance) == 1.0
    assert aligned == "0"
    assert names.split() == [*card.labels, *card.input.channels]

    flashed = (tmp_path / "model").read_bytes()
    assert flashed == exported.graph
    numbers = np.fromfile(tmp_path / "golden", np.float32)
    given, wanted = np.split(numbers, [vectors.samples.size])
    np.testing.assert_array_equal(given.reshape(vectors.samples.shape), vectors.samples)
    np.testing.assert_array_equal(wanted.reshape(vectors.logits.shape), vectors.logits)
    found = micro.MicroEngine(flashed).run_many(given.reshape(vectors.samples.shape))
    assert np.abs(found.logits - wanted.reshape(vectors.logits.shape)).max() <= float(tolerance)
    np.testing.assert_array_equal(found.logits.argmax(axis=1), vectors.logits.argmax(axis=1))


def test_as_cpp_it_is_the_same_array(exported: Exported, tmp_path: Path) -> None:
    source = exported.folder / "5-exercises.c"
    build(["-x", "c++", "-std=c++11", *STRICT, "-c", str(source), "-o", str(tmp_path / "model.o")])
    assert exported.graph in (tmp_path / "model.o").read_bytes()


def test_without_the_interpreter_memory_is_not_guessed(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    assert exported.target.engine(exported.graph) is None
    files = exported.target.files("model", exported.graph, exported.card, exported.golden)
    header = files["model.h"].decode()
    assert "#define MODEL_ARENA_BYTES" not in header
    assert "not measured" in header
    for ending in (".h", ".c"):
        (tmp_path / f"model{ending}").write_bytes(files[f"model{ending}"])
    build(["-std=c99", *STRICT, "-c", str(tmp_path / "model.c"), "-o", str(tmp_path / "model.o")])


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("shoulder", "shoulder"), ("5 x", "model_5_x"), ("Ärm-Übung", "rm_bung"), ("é", "model")],
)
def test_any_name_becomes_one_of_c(name: str, wanted: str) -> None:
    assert identifier(name) == wanted


@pytest.mark.parametrize(
    ("kind", "method"),
    [("CONV_2D", "AddConv2D"), ("DEPTHWISE_CONV_2D", "AddDepthwiseConv2D"), ("REDUCE_MAX", "AddReduceMax")],
)
def test_operators_are_registered_by_the_resolvers_methods(kind: str, method: str) -> None:
    assert registration(kind) == method


def build(arguments: list[str]) -> None:
    done = subprocess.run([*COMPILER, *arguments], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_any_order_of_operators_computes_the_same(exported: Exported) -> None:
    shown = exported.samples[::100]
    wanted = micro.MicroEngine(exported.graph).run_many(shown)
    for thrifty in (False, True):
        again = micro.fit(exported.graph, thrifty)
        assert set(micro.operators(again)) == set(micro.operators(exported.graph))
        assert micro.arena(again) >= micro.arena(exported.graph)  # the smaller one was chosen
        np.testing.assert_array_equal(micro.MicroEngine(again).run_many(shown).logits, wanted.logits)
