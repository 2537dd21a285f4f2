"""Smoothing changes how features and weights are written, not what comes out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

torch = pytest.importorskip("torch")

from img2imu_export.smooth import on_grid, smooth  # noqa: E402
from img2imu_training.network import Architecture, Network  # noqa: E402


@pytest.fixture(scope="module")
def net() -> Network:
    """A head that leans on features of very different sizes."""
    torch.manual_seed(0)
    net = Network(
        Architecture("tiny", classes=3, sensors=1, rows=8, levels=2, columns=10, embedding=5)
    ).eval()
    with torch.no_grad():
        net.project.weight *= 10.0 ** torch.linspace(-2, 2, net.project.in_features)
    return net


@pytest.fixture(scope="module")
def shown() -> np.ndarray:
    """Pictures whose rows from the third on never vary."""
    pictures = np.random.default_rng(0).random((300, 3, 8, 10), np.float32)
    pictures[:, :, 3:] = 0.25
    return pictures


def test_it_computes_the_same_and_leaves_the_network_alone(net: Network, shown: np.ndarray) -> None:
    before = {name: value.clone() for name, value in net.state_dict().items()}
    smoothed = smooth(net, shown)
    with torch.inference_mode():
        for found, wanted in zip(
            smoothed(torch.from_numpy(shown)), net(torch.from_numpy(shown)), strict=True
        ):
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))
    after = net.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_features_and_weights_become_alike_in_size(net: Network, shown: np.ndarray) -> None:
    rescale, head = smooth(net, shown).project
    with torch.inference_mode():
        seen = rescale(net.features(torch.from_numpy(shown)))
    step = rescale.shift.abs().max() / 127
    assert bool((seen.mean(dim=0).abs() <= 0.51 * step * rescale.root**2 + 1e-4).all())
    size, largest = seen.abs().amax(dim=0), head.weight.abs().amax(dim=0)
    alive = rescale.root > 0
    # Alike to within what eight bits of the gain's root leave: half a step, of the 1 to 127 that it has.
    steps = rescale.root / (rescale.root.max() / 127)
    clear = alive & (steps > 10)
    assert int(clear.sum()) > 0.5 * int(alive.sum())
    ratio = (size[clear] / largest[clear]).log().abs()
    assert bool((ratio <= 4 * torch.log1p(0.5 / (steps[clear] - 0.5)) + 1e-2).all())


def test_what_never_varies_drops_out(net: Network, shown: np.ndarray) -> None:
    smoothed = smooth(net, np.full_like(shown, 0.25))
    rescale, head = smoothed.project
    assert not head.weight[:, rescale.root == 0].any()
    with torch.inference_mode():
        logits, embedding = smoothed(torch.from_numpy(shown))
    assert torch.isfinite(logits).all()
    assert torch.isfinite(embedding).all()


def test_shift_and_gain_fit_eight_bits(net: Network, shown: np.ndarray) -> None:
    rescale, head = smooth(net, shown).project
    for values in (rescale.shift, rescale.root):
        steps = values / (values.abs().max() / 127)
        torch.testing.assert_close(steps, steps.round(), rtol=0, atol=1e-4)
    # What the network leans on least is not rounded away.
    assert bool((rescale.root > 0)[head.weight.abs().amax(dim=0) > 0].all())


@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(-1e6, 1e6, width=32)))
def test_the_grid_moves_nothing_by_more_than_half_a_step(values: np.ndarray) -> None:
    rounded = on_grid(torch.from_numpy(values)).numpy()
    step = np.abs(values).max() / 127
    assert rounded.dtype == np.float32
    assert np.abs(rounded - values).max() <= 0.5001 * step + 1e-30
    np.testing.assert_array_equal(on_grid(torch.from_numpy(rounded)).numpy(), rounded)
