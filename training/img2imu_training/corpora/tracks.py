"""Quantities over time with their first two derivatives, so that rates and accelerations are exact."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from img2imu_training.corpora.movement import Floats


class Track(NamedTuple):
    """A quantity over time.

    Attributes:
        value: (…, samples).
        rate: Its first derivative, per second.
        change: Its second derivative, per second².
    """

    value: Floats
    rate: Floats
    change: Floats

    def by(self, other: Track) -> Track:
        """The product of two quantities, sample by sample (product rule)."""
        return Track(
            self.value * other.value,
            self.rate * other.value + self.value * other.rate,
            self.change * other.value + 2 * self.rate * other.rate + self.value * other.change,
        )

    def plus(self, other: Track) -> Track:
        """The sum of two quantities."""
        return Track(self.value + other.value, self.rate + other.rate, self.change + other.change)

    def scaled(self, factor: Floats) -> Track:
        """The quantity times something that does not change."""
        return Track(self.value * factor, self.rate * factor, self.change * factor)


def step(time: Floats, start: Floats, lasting: Floats) -> Track:
    """A smooth step from 0 to 1, as a hand that reaches (minimum jerk; Flash and Hogan, 1985).

    Args:
        time: (samples,) s.
        start: (n, 1) s.
        lasting: (n, 1) s.
    """
    s = np.clip((time - start) / lasting, 0, 1)
    rest = 1 - s
    return Track(
        s**3 * (10 - 15 * s + 6 * s * s),
        30 * np.square(s * rest) / lasting,
        60 * s * rest * (1 - 2 * s) / np.square(lasting),
    )


def bursts(time: Floats, frequency: Floats, sharpness: Floats, phase: Floats) -> Track:
    """An envelope up to 1 that comes again and again, shaped as von Mises' density; steady for sharpness 0.

    Args:
        time: (samples,) s.
        frequency: (n, 1) Hz.
        sharpness: (n, 1) concentration; the larger, the shorter each burst.
        phase: (n, 1) rad.
    """
    speed = 2 * np.pi * frequency
    x = speed * time + phase
    sine, cosine = np.sin(x), np.cos(x)
    value = np.exp(sharpness * (cosine - 1))
    return Track(
        value,
        -sharpness * speed * sine * value,
        np.square(speed) * sharpness * (sharpness * np.square(sine) - cosine) * value,
    )


def phase(time: Floats, speed: Floats, drift: Floats, starts: Floats) -> Track:
    """The phase of a cycle whose cadence wavers: its rate is speed × (1 + share × sin(…)).

    Args:
        time: (samples,) s.
        speed: (n, 1) mean angular speed, rad/s.
        drift: (n, 2) share and angular speed of the wavering, rad/s.
        starts: (n, 2) phases of cycle and wavering, rad.
    """
    share, slow = drift[:, :1], drift[:, 1:]
    x = slow * time + starts[:, 1:]
    sine, cosine = np.sin(x), np.cos(x)
    return Track(
        starts[:, :1] + speed * (time - share / slow * cosine),
        speed * (1 + share * sine),
        speed * share * slow * cosine,
    )
