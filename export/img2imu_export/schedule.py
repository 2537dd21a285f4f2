"""Order of operators: what an interpreter keeps in memory at once depends on it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from img2imu_export.extras import need


def schedule(model: Any, operators: Sequence[Any]) -> list[Any]:
    """Operators of a TFLite file in another order.

    An interpreter runs them as they come, and keeps what is still to be read.
    Of all that can run, next is always what leaves the least in memory: an operator, and after it those that
    read nothing but what came before. What reads constants alone waits until it is needed.

    Args:
        model: As the utilities of LiteRT read it.
        operators: Of its one subgraph, in an order that runs.
    """
    schema, (graph,) = need("ai_edge_litert.schema_py_generated"), model.subgraphs
    width = {schema.TensorType.INT8: 1}
    sizes = [
        0 if model.buffers[t.buffer].data is not None else width.get(t.type, 4) * math.prod(map(int, t.shape))
        for t in graph.tensors
    ]
    made = {int(index) for operator in operators for index in operator.outputs}
    varying = made | set(map(int, graph.inputs))
    reads = [{int(index) for index in operator.inputs} & varying for operator in operators]
    readers = Counter(index for indices in reads for index in indices)
    sources = {int(o.outputs[0]): o for o, read in zip(operators, reads, strict=True) if not read}
    there = set(map(int, graph.inputs)) | set(sources)
    waiting = {n: read for n, read in enumerate(reads) if read}
    found: list[Any] = []
    while waiting:
        chains = [
            _chain(n, waiting, operators, there, readers) for n, read in waiting.items() if read <= there
        ]
        left = [
            sum(sizes[i] for i in operators[chain[-1]].outputs)
            - sum(sizes[i] for i in reads[chain[0]] if readers[i] == 1)
            for chain in chains
        ]
        for n in chains[left.index(min(left))]:
            found += [sources.pop(i) for i in sorted(reads[n] & set(sources))]
            found.append(operators[n])
            readers.subtract(waiting.pop(n))
            there |= set(map(int, operators[n].outputs))
    return found


def _chain(
    first: int, waiting: dict[int, set[int]], operators: Sequence[Any], there: set[int], readers: Counter[int]
) -> list[int]:
    """An operator and those that can follow, each the only one to read what the one before it made."""
    chain, seen = [first], set(there)
    while True:
        ends = set(map(int, operators[chain[-1]].outputs))
        seen |= ends
        after = [n for n, read in waiting.items() if read & ends and read <= seen]
        if len(after) != 1 or any(readers[end] != 1 for end in ends):
            return chain
        chain.append(after[0])
