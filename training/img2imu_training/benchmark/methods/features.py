"""Hand-crafted features of motion, as the literature on activity recognition has settled on them.

Sources: Bao and Intille, "Activity recognition from user-annotated acceleration data", Pervasive 2004 (mean,
energy, spectral entropy, correlation of axes); Figo, Diniz, Ferreira and Cardoso, "Preprocessing techniques
for context recognition from accelerometer data", Pers. Ubiquit. Comput. 14, 2010 (order statistics, crossing
rates, dominant frequency); Anguita, Ghio, Oneto, Parra and Reyes-Ortiz, "A public domain dataset for human
activity recognition using smartphones", ESANN 2013 (jerk, signal magnitude area, magnitude, skewness,
kurtosis, band energies, angle to gravity).

Everything is computed for all windows at once. Heavy-tailed quantities (powers, deviations of jerk) are given
as logarithms, which a linear model needs and a forest does not mind.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from img2imu_training.windows import Samples

Array = NDArray[np.float64]

BANDS = ((0.0, 1.0), (1.0, 3.0), (3.0, 5.0), (5.0, 10.0), (10.0, 15.0))
"""Hz, lower end included: steps and strokes lie below 5, tremor and impacts above."""

_STEADY_GAIN = 1e-6
"""Added to powers and deviations, so that a sensor at rest has a logarithm."""

_SIGNAL_NAMES = ("x", "y", "z", "norm")
_STATISTIC_NAMES = (
    "mean",
    "deviation",
    "minimum",
    "maximum",
    "median",
    "interquartile_range",
    "root_mean_square",
    "skewness",
    "kurtosis",
    "median_absolute_deviation",
    "mean_crossings",
    "zero_crossings",
    "jerk_mean_absolute",
    "jerk_deviation",
    "jerk_maximum",
)
_SPECTRUM_NAMES = (
    "dominant_frequency",
    "dominant_share",
    "centroid",
    "entropy",
    *(f"power_{low:g}_{high:g}_hz" for low, high in BANDS),
    *(f"share_{low:g}_{high:g}_hz" for low, high in BANDS),
)
_PERIOD_NAMES = ("period", "regularity")
_QUARTERS = 4
_COURSE_NAMES = (
    *(f"rise_of_quarter_{i + 1}" for i in range(_QUARTERS)),
    "slope",
    *(f"deviation_of_quarter_{i + 1}" for i in range(_QUARTERS)),
)
_JOINT_NAMES = ("correlation_xy", "correlation_xz", "correlation_yz", "tilt_x", "tilt_y", "tilt_z", "area")


def feature_names(axes: int) -> tuple[str, ...]:
    """Name of each column of `hand_crafted`, such as `acc_x_median`, for 3 or 6 axes."""
    names = []
    for sensor in ("acc", "gyr")[: axes // 3]:
        for group in (_STATISTIC_NAMES, _SPECTRUM_NAMES, _PERIOD_NAMES, _COURSE_NAMES):
            names += [f"{sensor}_{signal}_{name}" for name in group for signal in _SIGNAL_NAMES]
        names += [f"{sensor}_{name}" for name in _JOINT_NAMES]
    return tuple(names)


def hand_crafted(samples: Samples, rate: float) -> Array:
    """Features of windows.

    Args:
        samples: (n, samples, 3 or 6) SI units: the accelerometer's axes, then the gyroscope's.
        rate: Hz.

    Returns:
        (n, features), all finite; `feature_names` says which they are. For each sensor's three axes and their
        norm: moments, order statistics, crossings per second, jerk, spectrum, period and course; for each
        sensor: correlations of its axes, angles of its axes to their mean vector, and signal magnitude area.

    Raises:
        ValueError: If there are not 3 or 6 axes.
    """
    if samples.shape[2] not in (3, 6):
        raise ValueError(f"hand-crafted features take 3 or 6 axes, not {samples.shape[2]}")
    parts = []
    for first in range(0, samples.shape[2], 3):
        sensor = samples[..., first : first + 3].astype(np.float64)
        norm = np.linalg.norm(sensor, axis=2, keepdims=True)
        signals = np.concatenate([sensor, norm], axis=2).transpose(0, 2, 1)
        parts += [statistics(signals, rate), spectrum(signals, rate), period(signals, rate)]
        parts += [course(signals), joint(sensor)]
    return np.concatenate(parts, axis=1)


def statistics(signals: Array, rate: float) -> Array:
    """Moments, order statistics, crossings and jerk of signals (n, signals, samples): (n, 15 × signals)."""
    mean = signals.mean(axis=2)
    centred = signals - mean[..., None]
    deviation = centred.std(axis=2)
    unit = centred / np.maximum(deviation, _STEADY_GAIN)[..., None]
    low, median, high = np.percentile(signals, (25, 50, 75), axis=2)
    seconds = signals.shape[2] / rate
    jerk = np.diff(signals, axis=2) * rate
    return np.concatenate(
        [
            mean,
            np.log(deviation + _STEADY_GAIN),
            signals.min(axis=2),
            signals.max(axis=2),
            median,
            high - low,
            np.sqrt((signals**2).mean(axis=2)),
            (unit**3).mean(axis=2),
            (unit**4).mean(axis=2),
            np.median(np.abs(signals - median[..., None]), axis=2),
            crossings(centred) / seconds,
            crossings(signals) / seconds,
            np.log(np.abs(jerk).mean(axis=2) + _STEADY_GAIN),
            np.log(jerk.std(axis=2) + _STEADY_GAIN),
            np.log(np.abs(jerk).max(axis=2) + _STEADY_GAIN),
        ],
        axis=1,
    )


def crossings(signals: Array) -> NDArray[np.int64]:
    """How often signals (…, samples) change sign."""
    positive = signals > 0
    changes: NDArray[np.int64] = np.count_nonzero(positive[..., 1:] != positive[..., :-1], axis=-1)
    return changes


def spectrum(signals: Array, rate: float) -> Array:
    """Shape of the power spectra of signals (n, signals, samples): (n, 14 × signals).

    The mean is taken off and a Hann window laid over, as in Welch's method with one segment. Shares are of
    the power without the mean's own bin; the entropy is that of the shares, over its maximum.
    """
    length = signals.shape[2]
    centred = (signals - signals.mean(axis=2, keepdims=True)) * np.hanning(length)
    power = np.abs(np.fft.rfft(centred, axis=2)[..., 1:]) ** 2 / length
    frequencies = np.fft.rfftfreq(length, 1 / rate)[1:]
    share = (power + _STEADY_GAIN) / (power + _STEADY_GAIN).sum(axis=2, keepdims=True)
    bands = [(frequencies >= low) & (frequencies < high) for low, high in BANDS]
    return np.concatenate(
        [
            frequencies[power.argmax(axis=2)],
            share.max(axis=2),
            share @ frequencies,
            -(share * np.log(share)).sum(axis=2) / np.log(len(frequencies)),
            *(np.log(power[..., band].sum(axis=2) + _STEADY_GAIN) for band in bands),
            *(share[..., band].sum(axis=2) for band in bands),
        ],
        axis=1,
    )


def period(signals: Array, rate: float) -> Array:
    """First peak of the autocorrelation of signals (n, signals, samples): (n, 2 × signals).

    The peak is the first local maximum above zero after the autocorrelation first fell below zero. Given are
    its lag in seconds and its height (1 for a sine wave without end); both are 0 where there is none.
    """
    length = signals.shape[2]
    centred = signals - signals.mean(axis=2, keepdims=True)
    power = np.abs(np.fft.rfft(centred, 2 * length, axis=2)) ** 2
    products = np.fft.irfft(power, axis=2)[..., :length]
    # Short sums at long lags: divide by their count, and stop where too few are left to mean anything.
    lags = np.arange(2 * length // 3)
    correlation = products[..., lags] / (length - lags)
    correlation /= np.maximum(correlation[..., :1], _STEADY_GAIN)
    fell = np.logical_or.accumulate(correlation < 0, axis=2)[..., 1:-1]
    inner = correlation[..., 1:-1]
    peak = fell & (inner > 0) & (inner > correlation[..., :-2]) & (inner >= correlation[..., 2:])
    first = peak.argmax(axis=2)
    found = peak.any(axis=2)
    height = np.take_along_axis(inner, first[..., None], axis=2)[..., 0]
    return np.concatenate([found * (first + 1) / rate, found * height], axis=1)


def course(signals: Array) -> Array:
    """What happens when in signals (n, signals, samples): (n, 9 × signals).

    The rise of each quarter's mean over the whole window's, the slope of a straight line (rise from the
    window's middle to its end) and the logarithm of each quarter's deviation. Sitting down and standing up
    have the same spectrum; only the order of what happens tells them apart.
    """
    mean = signals.mean(axis=2)
    time = np.linspace(-1, 1, signals.shape[2])
    quarters = np.array_split(signals, _QUARTERS, axis=2)
    return np.concatenate(
        [
            *(quarter.mean(axis=2) - mean for quarter in quarters),
            (signals @ time) / (time @ time),
            *(np.log(quarter.std(axis=2) + _STEADY_GAIN) for quarter in quarters),
        ],
        axis=1,
    )


def joint(sensor: Array) -> Array:
    """What the three axes (n, samples, 3) of a sensor say together: (n, 7).

    Correlations of their pairs, the angle in rad of each axis to the mean vector (for an accelerometer:
    gravity's direction), and the signal magnitude area without the mean.
    """
    mean = sensor.mean(axis=1)
    centred = sensor - mean[:, None]
    covariance = np.einsum("nti,ntj->nij", centred, centred) / sensor.shape[1]
    deviation = np.sqrt(np.einsum("nii->ni", covariance))
    pairs = ((0, 1), (0, 2), (1, 2))
    correlations = [
        covariance[:, i, j] / np.maximum(deviation[:, i] * deviation[:, j], _STEADY_GAIN) for i, j in pairs
    ]
    length = np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), _STEADY_GAIN)
    tilt = np.arccos(np.clip(mean / length, -1, 1))
    area = np.abs(centred).mean(axis=1).sum(axis=1)
    return np.column_stack([*correlations, tilt, area])
