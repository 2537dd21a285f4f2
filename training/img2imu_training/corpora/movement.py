"""What a formula-made movement is: cycles, irregular motion, impacts and changes of posture, drawn at random.

A limb segment carries the sensor at some distance from its joint. It swings about two axes, is pushed along
three, and may take on another posture. Everything that a performance of the movement keeps is here; what
differs from one performance to the next (phase, tempo, vigour, mounting, noise) is in `performance`.

The ranges are those of people: cycles of 0.2 to 4 Hz (breathing to fast strokes), heel strikes that ring at
5 to 15 Hz, physiological tremor at 8 to 12 Hz (Elble and Koller, "Tremor", 1990), arm swings below 15 rad/s
and reaches below 0.8 m. Nothing is fitted to a recording.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
Coefficients = NDArray[np.complex64]

KINDS = ("still", "steady", "impact", "burst", "transient", "irregular", "mixture", "sequence")
"""A resting limb; a steady cycle; one with an impact in each; one that comes in bursts; a single change of
posture; irregular motion; a cycle with irregular motion; and one movement that gives way to another."""

STILL, STEADY, IMPACT, BURST, TRANSIENT, IRREGULAR, MIXTURE, SEQUENCE = range(len(KINDS))

CYCLIC = (STEADY, IMPACT, BURST, MIXTURE)
"""Kinds that have a fundamental frequency throughout."""

HARMONICS = 6

_LARGEST_TURN = np.radians(120.0)
_LARGEST_SPEED = 15.0
_LARGEST_REACH = 0.8
_USABLE = 0.4
"""Highest frequency that is made, as a share of the sampling rate; a faster performance stays below half."""


class Rows:
    """A dataclass of arrays that all have one row per movement."""

    __slots__ = ()

    def take(self, index: NDArray[np.int64]) -> Self:
        """Some of the rows, in this order; a row may be taken more than once."""
        taken = {}
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            taken[field.name] = value.take(index) if isinstance(value, Rows) else value[index]
        return replace(self, **taken)  # type: ignore[type-var]


@dataclass(frozen=True, slots=True)
class Component(Rows):
    """What goes on in a movement for some time, or throughout.

    Attributes:
        frequency: (n,) fundamental of the cycle, Hz.
        angles: (n, 2, harmonics) Fourier coefficients of the two swings, rad.
        push: (n, 3, harmonics) Fourier coefficients of the linear acceleration in the limb's frame, m/s².
        drift: (n, 2) how much the cadence wavers, as a share of it, and how fast, rad/s.
        burst: (n, 2) how often bursts come, Hz, and how short they are (0: no bursts).
        impact: (n, 3) acceleration of the impact in each cycle, m/s²; 0 for none.
        ring: (n, 2) frequency of the impact's ringing, Hz, and the time to its peak, s.
        other: (n,) strength of the other foot's impact half a cycle later, as a share.
        band: (n, 2) lowest and highest frequency of the irregular motion, Hz.
        slope: (n,) power of the irregular motion falls with frequency to this power.
        noise_angles: (n, 2) root mean square of the irregular swings, rad.
        noise_push: (n, 3) root mean square of the irregular acceleration, m/s².
    """

    frequency: Floats
    angles: Coefficients
    push: Coefficients
    drift: Floats
    burst: Floats
    impact: Floats
    ring: Floats
    other: Floats
    band: Floats
    slope: Floats
    noise_angles: Floats
    noise_push: Floats


@dataclass(frozen=True, slots=True)
class Movements(Rows):
    """n movements. The limb's frame has its z along the axis of the first swing.

    Attributes:
        kind: (n,) index in `KINDS`.
        first: What goes on, of a sequence at first.
        second: What follows in a sequence; of no meaning otherwise.
        axis: (n, 3) unit axis of the second swing and of changes of posture.
        up: (n, 3) unit vector against gravity before any swing.
        lever: (n, 3) where the sensor sits, from the joint, m.
        turn: (n,) change of posture about `axis`, rad; 0 for none.
        reach: (n, 3) displacement that goes with it, m.
        lasting: (n,) how long it takes, s.
        hold: (n,) time from its start until it is taken back, s; infinite if it stays.
        mounting: (n, 3, 3) from the limb's frame to the sensor's, uniform over all rotations.
    """

    kind: NDArray[np.int64]
    first: Component
    second: Component
    axis: Floats
    up: Floats
    lever: Floats
    turn: Floats
    reach: Floats
    lasting: Floats
    hold: Floats
    mounting: Floats


def draw_movements(rng: Generator, n: int, rate: float, weights: NDArray[np.float64]) -> Movements:
    """Draw movements.

    Args:
        rng: Source of randomness.
        n: How many.
        rate: Sampling rate of the sensor that will see them, Hz; nothing is made that it could not show.
        weights: (kinds,) probability of each kind.
    """
    kind = rng.choice(len(KINDS), n, p=weights)
    parts = np.array([STILL, STEADY, IMPACT, BURST, IRREGULAR])
    frame = rotations(rng, n)
    # Much of what people do goes up and down: half of the time the strongest push is along gravity.
    along = rng.random(n) < 0.5
    up = unit(np.where(along[:, None], frame[:, :, 0] + 0.2 * normals(rng, n, 3), normals(rng, n, 3)))
    moving = (kind == TRANSIENT) | ((kind == SEQUENCE) & (rng.random(n) < 0.5))
    lasting = log_uniform(rng, 0.5, 2.5, n)
    # A reach s within T by minimum jerk accelerates by up to 5.8 s/T².
    reach = np.minimum(rng.uniform(0, 0.6, n), 2.0 * lasting**2)
    return Movements(
        kind=kind,
        first=_draw_component(rng, np.where(kind == SEQUENCE, rng.choice(parts, n), kind), frame, rate),
        second=_draw_component(rng, rng.choice(parts, n), frame, rate),
        axis=unit(normals(rng, n, 3)),
        up=up,
        lever=unit(normals(rng, n, 3)) * single(rng.uniform(0.02, 0.6, (n, 1))),
        turn=single(moving * np.radians(rng.uniform(15, 120, n))),
        reach=unit(normals(rng, n, 3)) * single(moving * reach)[:, None],
        lasting=single(lasting),
        hold=single(np.where(rng.random(n) < 0.4, lasting + rng.uniform(0, 1.5, n), np.inf)),
        mounting=rotations(rng, n),
    )


def _draw_component(rng: Generator, kind: NDArray[np.int64], frame: Floats, rate: float) -> Component:
    """Components of these kinds; the columns of `frame` are the axes of their pushes."""
    n = len(kind)
    resting = np.isin(kind, (STILL, TRANSIENT))
    frequency = np.where(resting, rng.uniform(0.15, 0.45, n), log_uniform(rng, 0.2, 4.0, n))  # or breathing
    angles, push = _draw_cycle(rng, frequency, frame, rate)
    cyclic = np.isin(kind, CYCLIC)
    angles *= np.where(cyclic, 1.0, resting * 0.02)[:, None, None]
    push *= cyclic[:, None, None]
    strike = (kind == IMPACT) * log_uniform(rng, 1.0, 40.0, n)
    irregular = np.isin(kind, (IRREGULAR, MIXTURE))
    low = log_uniform(rng, 0.2, 2.0, n)
    high = np.minimum(low * np.where(cyclic, 30.0, log_uniform(rng, 2.0, 15.0, n)), _USABLE * rate)
    tremor = rng.uniform(8.0, 12.0, n).clip(max=_USABLE * rate)
    band = np.where(resting[:, None], np.stack([tremor - 0.7, tremor + 0.7], 1), np.stack([low, high], 1))
    # No cycle of a person is like the one before: a share of what moves is irregular. A swing of θ moves
    # gravity by about 9.8 sin θ m/s².
    moved = np.linalg.norm(push, axis=(1, 2)) + 9.8 * np.sin(np.abs(angles).sum(2).max(1).clip(max=1.5))
    rough = cyclic * log_uniform(rng, 0.02, 0.4, n) * (moved + 0.2 * strike)
    vigour = np.where(irregular, log_uniform(rng, 0.05, 8.0, n), resting * log_uniform(rng, 0.01, 0.3, n))
    vigour *= np.where(kind == MIXTURE, 0.5, 1.0)
    vigour = np.minimum(vigour + rough, _LARGEST_REACH * np.square(2 * np.pi * band[:, 0]))
    swing = irregular * np.minimum(log_uniform(rng, 0.02, 0.6, n), 5.0 / (2 * np.pi * band[:, 1]))
    bursting = (kind == BURST)[:, None]
    return Component(
        frequency=single(frequency),
        angles=angles.astype(np.complex64),
        push=push.astype(np.complex64),
        drift=single(np.stack([rng.uniform(0, 0.12, n), 2 * np.pi * rng.uniform(0.05, 0.4, n)], 1)),
        burst=single(bursting * np.stack([log_uniform(rng, 0.2, 1.0, n), log_uniform(rng, 1.0, 8.0, n)], 1)),
        impact=unit(normals(rng, n, 3)) * single(strike)[:, None],
        ring=single(
            np.stack(
                [
                    rng.uniform(5.0, 15.0, n).clip(max=_USABLE * rate),
                    np.minimum(log_uniform(rng, 0.02, 0.08, n), 0.1 / frequency),
                ],
                1,
            )
        ),
        other=single((rng.random(n) < 0.6) * rng.uniform(0.3, 1.0, n)),
        band=single(band),
        slope=single(rng.uniform(0.0, 2.0, n)),
        noise_angles=single(swing[:, None] * rng.uniform(0, 1, (n, 2))),
        noise_push=single(vigour[:, None] * np.exp(0.5 * rng.standard_normal((n, 3)))),
    )


def _draw_cycle(
    rng: Generator, frequency: NDArray[np.float64], frame: Floats, rate: float
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Fourier coefficients of swings (n, 2, harmonics) in rad and of pushes (n, 3, harmonics) in m/s²."""
    n, k = len(frequency), np.arange(1, HARMONICS + 1)
    shown = (k <= rng.integers(1, HARMONICS + 1, (n, 1))) & (k * frequency[:, None] < _USABLE * rate)
    shown[:, 0] = True
    decay = rng.uniform(0.3, 2.5, (n, 1))
    shape = (shown * k**-decay)[:, None] * _complex_normals(rng, n, 5, HARMONICS)
    # Both legs push up once per stride: of a gait the vertical has the even harmonics, the lateral the odd.
    gait = (rng.random(n) < 0.3) & (shown.sum(1) > 1)
    shape[gait, 2, 0::2] *= 0.1
    shape[gait, 3, 1::2] *= 0.1
    speed = 2 * np.pi * frequency[:, None] * k
    swings = shape[:, :2] / k  # a swing is smoother than its acceleration
    swings /= np.abs(swings).sum(2, keepdims=True) + 1e-9
    size = np.stack([log_uniform(rng, np.radians(1), _LARGEST_TURN, n), log_uniform(rng, 0.01, 1.0, n)], 1)
    size *= rng.random((n, 2)) < np.array([0.85, 0.5])
    swings *= size[:, :, None]
    fastest = (np.abs(swings) * speed[:, None]).sum(2).max(1)
    swings *= np.minimum(1.0, _LARGEST_SPEED / (fastest + 1e-9))[:, None, None]
    pushes = shape[:, 2:] / (np.linalg.norm(shape[:, 2:], axis=(1, 2), keepdims=True) + 1e-9)
    pushes *= log_uniform(rng, 0.05, 30.0, n)[:, None, None]
    pushes *= np.stack([np.ones(n), rng.uniform(0.1, 1, n), rng.uniform(0.05, 1, n)], 1)[:, :, None]
    furthest = (np.abs(pushes) / np.square(speed)[:, None]).sum(2).max(1)
    pushes *= np.minimum(1.0, _LARGEST_REACH / (furthest + 1e-9))[:, None, None]
    return swings, frame.astype(np.float64) @ pushes


def single(values: ArrayLike) -> Floats:
    """As float32."""
    return np.asarray(values, np.float32)


def normals(rng: Generator, *shape: int) -> Floats:
    """Standard normal numbers."""
    return rng.standard_normal(shape, np.float32)


def unit(vectors: Floats) -> Floats:
    """Vectors (…, 3) made one long."""
    made: Floats = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return made


def log_uniform(rng: Generator, low: float, high: float, n: int) -> NDArray[np.float64]:
    """Numbers whose logarithm is uniform."""
    return np.exp(rng.uniform(np.log(low), np.log(high), n))


def rotations(rng: Generator, n: int) -> Floats:
    """Rotation matrices (n, 3, 3), uniform over SO(3): those of normally distributed quaternions."""
    w, x, y, z = unit(normals(rng, n, 4)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows).transpose(2, 0, 1)


def _complex_normals(rng: Generator, *shape: int) -> NDArray[np.complex128]:
    pairs = rng.standard_normal((*shape, 2))
    made: NDArray[np.complex128] = pairs.view(np.complex128)[..., 0]
    return made
