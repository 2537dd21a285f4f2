"""Resampling of pictures as two matrix products, one per axis, each picture with a map of its own.

A crop, a blur, a shift or a stretch is separable: rows × picture × columnsᵀ. Small dense matrices are quick
on every device, and the triangular filter widens when it shrinks, so that nothing aliases (as Pillow's
`BILINEAR` does, and `grid_sample` does not).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def weights(positions: Tensor, size: int, width: Tensor | float = 1.0) -> Tensor:
    """Matrices that read a line of `size` cells at some positions.

    Args:
        positions: (n, out) where to read, in cells from the first cell's centre; the ends are held.
        size: Cells of the line.
        width: Half width of the triangle in cells, ≥ 1; a number or (n, 1).

    Returns:
        (n, out, size), each line summing to 1.
    """
    cells = torch.arange(size, device=positions.device, dtype=positions.dtype)
    distance = (positions.clamp(0, size - 1)[..., None] - cells).abs()
    reach = width[..., None] if isinstance(width, Tensor) else width
    triangle = (1 - distance / reach).clamp_min(0)
    return triangle / triangle.sum(dim=2, keepdim=True)


def window(start: Tensor, length: Tensor, size: int, out: int) -> Tensor:
    """Matrices (n, out, size) that scale a part of a line to `out` cells.

    Args:
        start: (n,) where the part begins, in cells from the line's edge.
        length: (n,) length of the part in cells.
        size: Cells of the line.
        out: Cells to make.
    """
    ratio = (length / out)[:, None]
    centres = start[:, None] + (torch.arange(out, device=start.device) + 0.5) * ratio - 0.5
    return weights(centres, size, ratio.clamp_min(1))


def resample(pictures: Tensor, rows: Tensor | None, columns: Tensor | None) -> Tensor:
    """Pictures (n, c, h, w) read by rows (n, out_h, h) and columns (n, out_w, w); None keeps an axis."""
    if columns is not None:
        pictures = torch.matmul(pictures, columns.transpose(1, 2)[:, None])
    if rows is not None:
        pictures = torch.matmul(rows[:, None], pictures)
    return pictures


def resize(batch: Tensor, rows: int, columns: int) -> Tensor:
    """A batch of any size as pictures of one size.

    Args:
        batch: (n, 3, height, width) uint8, or float in 0 … 1.
        rows: Rows to make.
        columns: Columns to make.

    Returns:
        (n, 3, rows, columns) float32 in 0 … 1: means of whole blocks where the sizes divide, else filtered
        bilinear values.
    """
    pictures = batch if batch.is_floating_point() else batch.to(torch.float32).mul_(1 / 255)
    height, width = pictures.shape[-2:]
    if (height, width) == (rows, columns):
        return pictures
    if height % rows == 0 and width % columns == 0:
        return functional.avg_pool2d(pictures, (height // rows, width // columns))
    return functional.interpolate(
        pictures, (rows, columns), mode="bilinear", antialias=True, align_corners=False
    ).clamp_(0, 1)
