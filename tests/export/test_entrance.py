"""A first layer of four channels is what a first layer of three is."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from img2imu_export.entrance import widen  # noqa: E402
from img2imu_training.backbones import BackboneName  # noqa: E402
from img2imu_training.network import Architecture, Network  # noqa: E402


@pytest.mark.parametrize("name", ["tiny", "small", "resnet18"])
def test_it_computes_the_same_and_leaves_the_network_alone(name: BackboneName) -> None:
    torch.manual_seed(1)
    net = Network(Architecture(name, classes=3, sensors=2, rows=8, levels=2, columns=10, embedding=5)).eval()
    pictures = torch.from_numpy(np.random.default_rng(0).random((4, 3, 16, 10), np.float32))
    with torch.inference_mode():
        wanted = net(pictures)
        found = widen(net)(pictures)
        again = net(pictures)
    for mine, theirs, after in zip(found, wanted, again, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)
        assert torch.equal(after, theirs)
    assert net.backbone.stages[0][0].in_channels == 3
    assert widen(net).backbone.stages[0][0].in_channels == 4
