"""Which objective, as a recipe says it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

from img2imu_edge.strict import from_json
from img2imu_training.backbones import Backbone
from img2imu_training.pretrain.objectives.moco import Moco, MocoOptions
from img2imu_training.pretrain.objectives.parts import Encoder, Pooling
from img2imu_training.pretrain.objectives.simclr import Simclr, SimclrOptions
from img2imu_training.pretrain.objectives.vicreg import Vicreg, VicregOptions

ObjectiveName = Literal["moco", "simclr", "vicreg"]

_OPTIONS: dict[str, type[MocoOptions] | type[SimclrOptions] | type[VicregOptions]] = {
    "moco": MocoOptions,
    "simclr": SimclrOptions,
    "vicreg": VicregOptions,
}


@dataclass(frozen=True, slots=True)
class ObjectiveOptions:
    """What pre-training minimises.

    Attributes:
        name: Which objective.
        pooling: What of the backbone's map it sees.
        options: Its own options, such as `temperature`; see `MocoOptions`, `SimclrOptions`, `VicregOptions`.
    """

    name: ObjectiveName
    pooling: Pooling = "rows"
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from_json(_OPTIONS[self.name], self.options, "options")

    def build(self, backbone: Backbone, rows: int) -> nn.Module:
        """The objective around a backbone, for pictures of so many rows."""
        encoder = Encoder(backbone, rows, self.pooling)
        options = from_json(_OPTIONS[self.name], self.options, "options")
        if isinstance(options, MocoOptions):
            return Moco(encoder, options)
        return Simclr(encoder, options) if isinstance(options, SimclrOptions) else Vicreg(encoder, options)
