"""Two random views of every picture, as a recipe lists the variations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from img2imu_training.pretrain.views import axes, frequency, images, level, time
from img2imu_training.pretrain.views.layout import Layout
from img2imu_training.pretrain.views.resample import resize

Make = Callable[[float, Layout], nn.Module]

GRADED: dict[str, Make] = {
    "translate_x": lambda strength, layout: time.TranslateX(strength),
    "translate_x_zero": lambda strength, layout: time.TranslateX(strength, "zero"),
    "translate_x_reflect": lambda strength, layout: time.TranslateX(strength, "reflect"),
    "permute_x": lambda strength, layout: time.PermuteX(strength),
    "hue": lambda strength, layout: axes.Hue(strength),
    "jitter": lambda strength, layout: level.Jitter(strength),
    "amplitude_shift": level.AmplitudeShift,
    "frequency_warp": frequency.FrequencyWarp,
    "time_mask": lambda strength, layout: time.TimeMask(strength),
    "frequency_mask": lambda strength, layout: frequency.FrequencyMask(strength),
    "axis_mix": axes.AxisMix,
    "random_resized_crop": images.RandomResizedCrop,
    "colour_jitter": lambda strength, layout: images.ColourJitter(strength),
    "gaussian_blur": lambda strength, layout: images.GaussianBlur(strength),
}
"""Views that need a strength, by name."""

WHOLE: dict[str, Callable[[Layout], nn.Module]] = {
    "axis_permute": lambda layout: axes.AxisPermute(),
    "axis_flip": axes.AxisFlip,
    "horizontal_flip": lambda layout: images.HorizontalFlip(),
    "greyscale": lambda layout: images.Greyscale(),
}
"""Views that are all or nothing, by name."""


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """One variation of a recipe.

    Attributes:
        name: Which, of `GRADED` or `WHOLE`.
        probability: Share of the pictures that it is applied to.
        strength: How strong, in the view's own unit; none for a view that is all or nothing.
    """

    name: str
    probability: float = 1.0
    strength: float | None = None

    def __post_init__(self) -> None:
        if self.name not in GRADED | WHOLE:
            raise ValueError(
                f"no view is called {self.name!r}; there are: {', '.join(sorted(GRADED | WHOLE))}"
            )
        if not 0 < self.probability <= 1:
            raise ValueError(f"{self.name}: probability must be above 0 and at most 1")
        if self.name in GRADED and self.strength is None:
            raise ValueError(f"{self.name} needs a strength")
        if self.name in WHOLE and self.strength is not None:
            raise ValueError(f"{self.name} is all or nothing; leave its strength out")

    def make(self, layout: Layout) -> nn.Module:
        """The view as a module.

        Raises:
            ValueError: If the strength is not one for this view.
        """
        try:
            if self.strength is None:
                return WHOLE[self.name](layout)
            return GRADED[self.name](self.strength, layout)
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from error


class Views(nn.Module):
    """Makes the two views of a batch that an objective compares.

    Args:
        options: The variations in order. A crop, if any, comes first: it takes pictures in their own size.
        layout: The pictures to make.

    Raises:
        ValueError: If a crop is not first, or a strength is not one.

    Example:
        >>> views = Views((ViewOptions("translate_x", strength=0.25),), Layout(32, 32))
        >>> a, b = views(torch.zeros(8, 1, 3, 96, 96, dtype=torch.uint8))
        >>> a.shape
        torch.Size([8, 3, 32, 32])
    """

    def __init__(self, options: tuple[ViewOptions, ...], layout: Layout) -> None:
        super().__init__()
        if any(option.name == "random_resized_crop" for option in options[1:]):
            raise ValueError("random_resized_crop must be the first view")
        self.layout = layout
        self.steps = nn.ModuleList(option.make(layout) for option in options)
        self.probabilities = tuple(option.probability for option in options)
        self.crops = bool(options) and options[0].name == "random_resized_crop"

    def forward(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Two views.

        Args:
            batch: (n, 1 or 2, 3, height, width) uint8. One picture is varied twice; of a pair, each once.

        Returns:
            Two of (n, 3, rows, columns) float32 in 0 … 1.
        """
        pictures = batch[:, 0], batch[:, -1]
        first = self._prepare(pictures[0])
        second = first if batch.shape[1] == 1 else self._prepare(pictures[1])
        return self.vary(first), self.vary(second)

    def _prepare(self, pictures: Tensor) -> Tensor:
        rows, columns = pictures.shape[2:] if self.crops else (self.layout.rows, self.layout.columns)
        return resize(pictures, rows, columns)

    def vary(self, pictures: Tensor) -> Tensor:
        """Pictures (n, 3, rows, columns) in 0 … 1, each with variations of its own."""
        for step, probability in zip(self.steps, self.probabilities, strict=True):
            pictures = step(pictures) if probability == 1 else self._some(step, pictures, probability)
        return pictures

    def _some(self, step: nn.Module, pictures: Tensor, probability: float) -> Tensor:
        """Vary a share of the pictures, and spend time on these alone.

        How many is n × probability, rounded up or down at random; it is drawn on the CPU, so that a GPU need
        not be waited for.
        """
        n = len(pictures)
        count = min(n, int(n * probability + torch.rand(()).item()))
        chosen = torch.randperm(n, device=pictures.device)[:count]
        whole = resize(pictures, self.layout.rows, self.layout.columns)
        if count == 0:
            return whole
        if whole is pictures:
            whole = pictures.clone()
        whole[chosen] = step(pictures[chosen])
        return whole
