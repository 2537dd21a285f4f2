"""What an ideal sensor on a limb feels while a movement is performed: specific force and angular rate.

The limb turns by R(t) = R₀ · exp(ψ(t)[v]) · exp(θ(t)[e_z]): the second swing and changes of posture about v,
the first swing about its own z. Rate and acceleration follow from θ, ψ and their exact derivatives, so that
the accelerometer's picture and the gyroscope's tell of one and the same motion.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from img2imu_edge.samples import STANDARD_GRAVITY
from img2imu_training.corpora.movement import HARMONICS, SEQUENCE, Component, Floats, Movements, single
from img2imu_training.corpora.performance import Performances
from img2imu_training.corpora.tracks import Track, bursts, phase, step


def readings(
    movements: Movements, how: Performances, samples: int, rate: float, axes: int, rng: Generator
) -> Floats:
    """The readings of an ideal sensor.

    Args:
        movements: n movements.
        how: How each is performed.
        samples: Length of a window.
        rate: Sampling rate, Hz.
        axes: 3 for the accelerometer, 6 for the gyroscope too.
        rng: Of irregular motion: two performances share its statistics, not its course.

    Returns:
        (n, axes, samples) m/s² and rad/s, in the sensor's frame.
    """
    time = single(np.arange(samples) / rate)
    angles, push = _component(movements.first, how, 0, time, rate, rng)
    changing = np.flatnonzero(movements.kind == SEQUENCE)
    if len(changing):
        _give_way(movements, how, changing, angles, push, time, rate, rng)
    first = Track(*(part[:, 0] for part in angles))
    second = Track(*(part[:, 1] for part in angles))
    moving = np.flatnonzero(movements.turn)
    if len(moving):
        moves, one = movements.take(moving), how.take(moving)
        course = _posture(moves, one, time)
        for part, added in zip(second, course.scaled(moves.turn[:, None]), strict=True):
            part[moving] += added
        push[moving] += moves.reach[:, :, None] * course.change[:, None]
    sensors = [_specific_force(movements, first, second, push)]
    if axes == 6:
        sensors.append(_angular_rate(movements.axis, first, second))
    return np.concatenate([how.mounting @ sensor for sensor in sensors], axis=1)


def _give_way(
    movements: Movements,
    how: Performances,
    changing: NDArray[np.int64],
    angles: Track,
    push: Floats,
    time: Floats,
    rate: float,
    rng: Generator,
) -> None:
    """Let the second component of sequences take over from the first, in place."""
    follows, one = movements.second.take(changing), how.take(changing)
    lasting = np.minimum(movements.lasting[changing], 1.0)[:, None]
    comes = step(time, single(one.moment[:, None] - lasting / 2), lasting)
    goes = Track(1 - comes.value, -comes.rate, -comes.change)
    next_angles, next_push = _component(follows, one, 1, time, rate, rng)
    before = Track(*(part[changing] for part in angles))
    both = before.by(_each(goes)).plus(next_angles.by(_each(comes)))
    for part, new in zip(angles, both, strict=True):
        part[changing] = new
    push[changing] = push[changing] * goes.value[:, None] + next_push * comes.value[:, None]


def _posture(movements: Movements, how: Performances, time: Floats) -> Track:
    """Course of the change of posture from 0 to 1, and back where it is taken back."""
    lasting = (movements.lasting / how.tempo)[:, None]
    start = single(how.moment[:, None] - lasting / 2)
    there = step(time, start, lasting)
    back = step(time, start + (movements.hold / how.tempo)[:, None], lasting)
    return Track(*(a - b for a, b in zip(there, back, strict=True)))


def _component(
    part: Component, how: Performances, number: int, time: Floats, rate: float, rng: Generator
) -> tuple[Track, Floats]:
    """Both swings (n, 2, samples) in rad and the linear acceleration (n, 3, samples) of a component, m/s²."""
    phases = how.phases[:, number]
    tempo, vigour = how.tempo[:, None], how.vigour[:, None]
    course = phase(time, 2 * np.pi * part.frequency[:, None] * tempo, part.drift, phases[:, :2])
    angles, push = _cycle(part, course)
    force = vigour * np.square(tempo)
    push *= force[:, :, None]
    struck = np.flatnonzero(part.impact.any(axis=1))
    if len(struck):
        pulse = _impacts(part.take(struck), Track(*(x[struck] for x in course)))
        push[struck] += part.impact[struck][:, :, None] * (force[struck] * pulse)[:, None]
    irregular = np.flatnonzero(part.noise_push.any(axis=1))
    if len(irregular):
        noisy = part.take(irregular)
        shape, speed = _spectrum(noisy, how.tempo[irregular], len(time), rate)
        pushes = _course(_spectra(noisy.noise_push, shape, rng), len(time))
        push[irregular] += pushes * force[irregular][:, :, None]
        swaying = np.flatnonzero(noisy.noise_angles.any(axis=1))
        if len(swaying):
            spectra = _spectra(noisy.noise_angles[swaying], shape[swaying], rng)
            orders = (spectra, 1j * speed * spectra, -np.square(speed) * spectra)
            for old, order in zip(angles, orders, strict=True):
                old[irregular[swaying]] += _course(order, len(time))
    angles = angles.scaled(vigour[:, :, None])
    bursting = np.flatnonzero(part.burst[:, 1])
    if len(bursting):
        frequency, sharpness = part.burst[bursting].T[:, :, None]
        envelope = bursts(time, frequency * tempo[bursting], sharpness, phases[bursting, 2:])
        enveloped = Track(*(x[bursting] for x in angles)).by(_each(envelope))
        for old, new in zip(angles, enveloped, strict=True):
            old[bursting] = new
        push[bursting] *= envelope.value[:, None]
    return angles, push


def _cycle(part: Component, course: Track) -> tuple[Track, Floats]:
    """Fourier series of the swings, with their derivatives in time, and of the push."""
    # cos kφ and sin kφ by Chebyshev's recurrence: two evaluations instead of twelve.
    waves = np.empty((len(part.frequency), 2 * HARMONICS, course.value.shape[1]), np.float32)
    cosines, sines = waves[:, :HARMONICS], waves[:, HARMONICS:]
    np.cos(course.value, out=cosines[:, 0])
    np.sin(course.value, out=sines[:, 0])
    double = 2 * cosines[:, 0]
    np.subtract(double * cosines[:, 0], 1, out=cosines[:, 1])
    np.multiply(double, sines[:, 0], out=sines[:, 1])
    for k in range(2, HARMONICS):
        np.subtract(double * cosines[:, k - 1], cosines[:, k - 2], out=cosines[:, k])
        np.subtract(double * sines[:, k - 1], sines[:, k - 2], out=sines[:, k])
    times_k = single(np.arange(1, HARMONICS + 1))
    swing = part.angles
    slope = swing * (np.complex64(1j) * times_k)
    bend = swing * -np.square(times_k)
    series = np.concatenate([swing, slope, bend, part.push], axis=1)
    made = np.concatenate([series.real, -series.imag], axis=2) @ waves
    value, by_phase, by_phase_twice, push = made[:, :2], made[:, 2:4], made[:, 4:6], made[:, 6:]
    speed, hurry = course.rate[:, None], course.change[:, None]
    return Track(value, by_phase * speed, by_phase_twice * np.square(speed) + by_phase * hurry), push


def _impacts(part: Component, course: Track) -> Floats:
    """Damped ringing once or twice per cycle, (n, samples), about 1 at its peak."""
    ring, peak = part.ring[:, :1], part.ring[:, 1:]
    total = np.zeros_like(course.value)
    for offset, strength in ((0.0, 1.0), (np.pi, part.other[:, None])):
        since = np.mod(course.value - single(offset), single(2 * np.pi)) / course.rate
        share = since / peak
        total += strength * share * np.exp(1 - share) * np.cos(2 * np.pi * ring * since)
    return total


def _spectrum(part: Component, tempo: Floats, samples: int, rate: float) -> tuple[Floats, Floats]:
    """Amplitudes (n, frequencies) of noise of power 1/f^slope within the band, and angular frequencies."""
    frequency = single(np.fft.rfftfreq(_even(samples), 1 / rate))
    octaves = np.log2(np.maximum(frequency, frequency[1] / 2))
    low, high = np.log2(part.band * tempo[:, None]).T[:, :, None]
    # Edges that fall by 24 dB within an octave; the constant is left out, and so is half the rate.
    outside = np.maximum(low - octaves, 0) + np.maximum(octaves - high, 0)
    shape = np.exp2(-0.5 * part.slope[:, None] * (octaves - low) - 4 * outside)
    shape[:, [0, -1]] = 0
    shape /= np.sqrt(np.square(shape).sum(axis=1, keepdims=True)) + single(1e-12)
    return shape, single(2 * np.pi) * frequency


def _spectra(size: Floats, shape: Floats, rng: Generator) -> NDArray[np.complex64]:
    """Spectra (n, channels, frequencies) of noise of a root mean square (n, channels)."""
    spectra = rng.standard_normal((*size.shape, 2 * shape.shape[1]), np.float32).view(np.complex64)
    spectra *= shape[:, None] * size[:, :, None]
    return spectra


def _course(spectra: NDArray[np.complex64], samples: int) -> Floats:
    """Noise (n, channels, samples) of these spectra, by an inverse Fourier transform: its ends meet."""
    length = _even(samples)
    return single(np.fft.irfft(spectra, length)[..., :samples] * (length / 2))


def _even(samples: int) -> int:
    return samples + samples % 2


def _specific_force(movements: Movements, first: Track, second: Track, push: Floats) -> Floats:
    """What the accelerometer feels, in the limb's frame (n, 3, samples): gravity, pushes and the lever.

    A point at r from a joint that turns with rate ω and angular acceleration α accelerates by
    α × r + ω (ω·r) − r |ω|².
    """
    up, axis, lever = movements.up, movements.axis, movements.lever[:, :, None]
    along = axis * (axis * up).sum(axis=1, keepdims=True)
    parts = np.stack([up - along, np.cross(up, axis), along], axis=2)
    waves = np.stack([np.cos(second.value), np.sin(second.value), np.ones_like(second.value)], axis=1)
    gravity = STANDARD_GRAVITY * _spin(parts @ waves, first.value)
    rate = _angular_rate(axis, first, second)
    aside = _spin(np.broadcast_to(axis[:, :, None], push.shape), first.value)
    speeds = first.rate * second.rate
    turning = aside * second.change[:, None]
    turning[:, 0] += speeds * aside[:, 1]
    turning[:, 1] -= speeds * aside[:, 0]
    turning[:, 2] += first.change
    force: Floats = gravity + push + rate * (rate * lever).sum(axis=1, keepdims=True)
    force -= lever * np.square(rate).sum(axis=1, keepdims=True)
    x, y, z = lever[:, 0], lever[:, 1], lever[:, 2]
    force[:, 0] += turning[:, 1] * z - turning[:, 2] * y
    force[:, 1] += turning[:, 2] * x - turning[:, 0] * z
    force[:, 2] += turning[:, 0] * y - turning[:, 1] * x
    return force


def _angular_rate(axis: Floats, first: Track, second: Track) -> Floats:
    """What the gyroscope feels, in the limb's frame, (n, 3, samples) rad/s."""
    shape = (len(axis), 3, first.value.shape[1])
    rate: Floats = _spin(np.broadcast_to(axis[:, :, None], shape), first.value) * second.rate[:, None]
    rate[:, 2] += first.rate
    return rate


def _spin(vectors: Floats, angle: Floats) -> Floats:
    """Vectors (n, 3, samples) as a frame sees them that has turned by an angle about z."""
    cosine, sine = np.cos(angle), np.sin(angle)
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    turned: Floats = np.stack([cosine * x + sine * y, cosine * y - sine * x, z], axis=1)
    return turned


def _each(envelope: Track) -> Track:
    """An envelope (n, samples) for both swings."""
    return Track(*(part[:, None] for part in envelope))
