"""Why: which part of what the network saw made it decide as it did. Needs nothing that a decision does not.

Example:
    >>> from img2imu_edge.why import explain
    >>> print(explain(model, window.seen).sentence())
"""

from __future__ import annotations

from img2imu_edge.why.explanation import Explanation
from img2imu_edge.why.occlusion import explain
from img2imu_edge.why.parts import Band, Parts, parts_of

__all__ = ["Band", "Explanation", "Parts", "explain", "parts_of"]
