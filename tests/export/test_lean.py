"""Statistics in fewer operators are what the training's are, number for number and in their order."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from img2imu_export.lean import LeanStatistics, lean  # noqa: E402
from img2imu_training.network import Architecture, Network, Pooling, Statistics  # noqa: E402


@pytest.mark.parametrize("sensors", [1, 2])
@pytest.mark.parametrize("levels", [0, 1, 3])
@pytest.mark.parametrize("columns", [1, 2, 9])
def test_statistics_are_the_same(sensors: int, levels: int, columns: int) -> None:
    torch.manual_seed(3)
    old = Statistics(sensors, rows=7, levels=levels, columns=columns)
    pictures = torch.rand(5, 3, 7 * sensors, columns)
    found = LeanStatistics(old)(pictures)
    assert found.shape == (5, old.width)
    torch.testing.assert_close(found, old(pictures), rtol=0, atol=1e-6)


@pytest.mark.parametrize("pooling", [Pooling(), Pooling(rows=2, means=False)])
def test_the_network_computes_the_same_and_is_left_alone(pooling: Pooling) -> None:
    torch.manual_seed(4)
    shape = Architecture("tiny", 3, sensors=2, rows=8, levels=2, columns=10, embedding=5, pooling=pooling)
    net = Network(shape).eval()
    pictures = torch.rand(4, 3, 16, 10)
    with torch.inference_mode():
        for found, wanted in zip(lean(net)(pictures), net(pictures), strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    assert isinstance(net.statistics, Statistics)
