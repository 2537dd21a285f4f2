"""Smoothing changes how features and weights are written, not what comes out."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from img2imu_export.smooth import smooth  # noqa: E402
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
    assert float(seen.mean(dim=0).abs().max()) < 1e-2 * float(seen.abs().max())
    size, largest = seen.abs().amax(dim=0), head.weight.abs().amax(dim=0)
    alive = rescale.gain > 0
    torch.testing.assert_close(size[alive], largest[alive], rtol=1e-2, atol=1e-4)


def test_what_never_varies_drops_out(net: Network, shown: np.ndarray) -> None:
    smoothed = smooth(net, np.full_like(shown, 0.25))
    rescale, head = smoothed.project
    assert not head.weight[:, rescale.gain == 0].any()
    with torch.inference_mode():
        logits, embedding = smoothed(torch.from_numpy(shown))
    assert torch.isfinite(logits).all()
    assert torch.isfinite(embedding).all()
