"""What is rewritten in a TFLite file changes its size and its names, and no bit of what it computes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

schema = pytest.importorskip("ai_edge_litert.schema_py_generated")

from ai_edge_litert.interpreter import Interpreter, OpResolverType  # noqa: E402
from ai_edge_litert.tools import flatbuffer_utils  # noqa: E402
from img2imu_export.flatbuffer import tidy  # noqa: E402
from img2imu_export.tflite_layers import module  # noqa: E402

WIDTH = 300


def graph(constants: Sequence[np.ndarray]) -> bytes:
    """A file that multiplies `picture` (1, WIDTH) with one constant after the other, `logits`."""
    model = schema.ModelT()
    model.version, model.buffers = 3, [schema.BufferT()]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.MUL
    code.version, model.operatorCodes = 1, [code]
    inner = schema.SubGraphT()
    inner.tensors, inner.operators = [], []

    def tensor(name: str, content: np.ndarray | None = None) -> int:
        made = schema.TensorT()
        made.name, made.type, made.hasRank = name, schema.TensorType.FLOAT32, True
        made.shape, made.buffer = np.array([1, WIDTH], np.int32), 0
        if content is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(content.astype(np.float32).tobytes(), np.uint8)
            model.buffers.append(buffer)
            made.buffer = len(model.buffers) - 1
        inner.tensors.append(made)
        return len(inner.tensors) - 1

    last = first = tensor("serving_default_picture")
    known: dict[int, int] = {}
    for number, values in enumerate(constants):
        place = known.setdefault(id(values), -1)
        if place < 0:
            place = known[id(values)] = tensor(f"constant/{number}", values)
        operator = schema.OperatorT()
        after = tensor(f"a/long/path/of/modules/{number}")
        operator.inputs, operator.outputs = np.array([last, place], np.int32), np.array([after], np.int32)
        operator.builtinOptionsType = schema.BuiltinOptions.MulOptions
        operator.builtinOptions = schema.MulOptionsT()
        inner.operators.append(operator)
        last = after
    inner.inputs, inner.outputs = np.array([first], np.int32), np.array([last], np.int32)
    signature = schema.SignatureDefT()
    signature.signatureKey = "serving_default"
    signature.inputs, signature.outputs = [schema.TensorMapT()], [schema.TensorMapT()]
    for entry, name, place in (
        (signature.inputs[0], "picture", first),
        (signature.outputs[0], "logits", last),
    ):
        entry.name, entry.tensorIndex = name, place
    model.subgraphs, model.signatureDefs = [inner], [signature]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def run(content: bytes, window: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(
        model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    runner = interpreter.get_signature_runner("serving_default")
    logits: np.ndarray = runner(picture=window)["logits"]
    return logits


def kinds(content: bytes) -> list[int]:
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    return [codes[operator.opcodeIndex] for operator in model.subgraphs[0].operators]


steps = st.lists(st.integers(-127, 127), min_size=WIDTH, max_size=WIDTH).map(np.float32)
multiples = st.tuples(steps, st.floats(2**-10, 2**10, width=32)).map(
    lambda pair: pair[0] * np.float32(pair[1])
)


@settings(max_examples=30, deadline=None)
@given(st.lists(multiples, min_size=1, max_size=2), st.integers(0, 2**32 - 1))
def test_constants_on_a_grid_shrink_and_nothing_changes(constants: list[np.ndarray], seed: int) -> None:
    content = graph([*constants, constants[0]])
    window = np.random.default_rng(seed).normal(size=(1, WIDTH)).astype(np.float32)
    np.testing.assert_array_equal(run(tidy(content), window), run(content, window))


def test_a_constant_that_is_used_twice_is_unpacked_once() -> None:
    values = np.linspace(-127, 127, WIDTH).round().astype(np.float32) / 64
    content, other = graph([values, values]), np.random.default_rng(0).normal(size=WIDTH)
    tidied = tidy(content)
    mul, unpack = schema.BuiltinOperator.MUL, schema.BuiltinOperator.DEQUANTIZE
    assert kinds(tidied) == [unpack, mul, mul]
    assert len(tidied) < len(tidy(graph([other, values]))) - 2 * WIDTH
    assert tidy(content) == tidied
    assert kinds(tidy(graph([other, np.zeros(WIDTH)]))) == [mul, mul]


def test_names_go_but_those_of_the_signature() -> None:
    content = graph([np.ones(WIDTH)])
    tidied = tidy(content)
    assert b"modules" in content
    assert b"modules" not in tidied
    assert {detail["name"] for detail in Interpreter(model_content=tidied).get_input_details()} == {"picture"}


@pytest.mark.parametrize(
    ("tensor", "wanted"),
    [
        ("img2imu_export.named.Named/a.Network_net/b.Backbone_backbone/torch.Sequential_stages/c.ReLU_2;1",
         "backbone.stages.2"),
        ("n.Named/f.FromSamples_net/a.Network_net/t.Linear_project;;n.Named/a.Network_net/x.Y_z", "project"),
        ("n.Named/a.Network_net;4", ""),
        ("serving_default_logits_output", ""),
    ],
)  # fmt: skip
def test_tensors_tell_which_module_they_come_from(tensor: str, wanted: str) -> None:
    assert module(tensor) == wanted
