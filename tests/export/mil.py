"""Core ML's model intermediate language in NumPy: what a converted program means, without a Mac.

Only the operators that our networks become, each as the reference of MIL operators (`iOS15`, `iOS16`) defines
it; any other is an error. Core ML itself was not asked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def load(package: Path) -> Any:
    """A package as written, with the weights from its own file."""
    from coremltools.converters.mil.frontend.milproto.load import load as parse
    from coremltools.models.utils import load_spec

    spec = load_spec(str(package))
    weights = package / "Data/com.apple.CoreML/weights"
    return parse(spec, spec.specificationVersion, str(weights))


def evaluate(program: Any, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Outputs of a program's `main`, by name."""
    block = program.functions["main"]
    values: dict[str, Any] = dict(inputs)

    def value(part: Any) -> Any:
        if isinstance(part, list | tuple):
            return [value(p) for p in part]
        return values.get(part.name, part.val)

    for op in block.operations:
        if op.op_type == "const":
            continue
        given = {name: value(part) for name, part in op.inputs.items() if part is not None}
        found = _OPERATORS[op.op_type](**given)
        for out, array in zip(op.outputs, found if isinstance(found, list) else [found], strict=True):
            values[out.name] = array
            assert array.shape == tuple(out.shape), (op.op_type, array.shape, out.shape)
    return {out.name: values[out.name] for out in block.outputs}


def _conv(
    x: np.ndarray, weight: np.ndarray, strides: Any, pad_type: str, pad: Any, dilations: Any, groups: int,
    bias: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    assert list(dilations) == [1, 1]
    assert groups == 1
    assert pad_type in ("custom", "valid")
    if pad_type == "custom":
        x = np.pad(x, ((0, 0), (0, 0), (pad[0], pad[1]), (pad[2], pad[3])))
    seen = sliding_window_view(x, weight.shape[2:], axis=(2, 3))[:, :, :: strides[0], :: strides[1]]
    made = np.einsum("nchwij,ocij->nohw", seen, weight, optimize=True)
    return made if bias is None else made + bias[:, None, None]


def _slice(
    x: np.ndarray, begin: Any, end: Any, begin_mask: Any = None, end_mask: Any = None, **other: Any
) -> np.ndarray:
    assert not any(np.any(v) for k, v in other.items() if k != "stride")
    assert np.all(np.asarray(other.get("stride", 1)) == 1)
    open_begin, open_end = (m if m is not None else [False] * x.ndim for m in (begin_mask, end_mask))
    cut = [
        slice(None if ob else int(b), None if oe else int(e))
        for b, e, ob, oe in zip(begin, end, open_begin, open_end, strict=True)
    ]
    return x[tuple(cut)]


_OPERATORS: dict[str, Any] = {
    "abs": lambda x: np.abs(x),
    "add": lambda x, y: x + y,
    "clip": lambda x, alpha, beta: np.clip(x, alpha, beta),
    "concat": lambda values, axis, interleave=False: np.concatenate(values, axis),
    "conv": _conv,
    "expand_dims": lambda x, axes: np.expand_dims(x, tuple(int(a) for a in axes)),
    "linear": lambda x, weight, bias: x @ weight.T + bias,
    "log": lambda x, epsilon: np.log(x + epsilon),
    "mul": lambda x, y: x * y,
    "real_div": lambda x, y: x / y,
    "reduce_max": lambda x, axes, keep_dims: x.max(tuple(axes), keepdims=bool(keep_dims)),
    "reduce_mean": lambda x, axes, keep_dims: x.mean(tuple(axes), keepdims=bool(keep_dims)),
    "reduce_min": lambda x, axes, keep_dims: x.min(tuple(axes), keepdims=bool(keep_dims)),
    "reduce_sum": lambda x, axes, keep_dims: x.sum(tuple(axes), keepdims=bool(keep_dims)),
    "relu": lambda x: np.maximum(x, 0),
    "reshape": lambda x, shape: x.reshape(shape),
    "slice_by_index": _slice,
    "split": lambda x, split_sizes, axis, **_: np.split(x, np.cumsum(split_sizes)[:-1], axis),
    "sub": lambda x, y: x - y,
    "transpose": lambda x, perm: x.transpose(perm),
}
