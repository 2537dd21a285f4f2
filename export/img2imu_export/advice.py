"""What is wrong with a file that was rejected, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from img2imu_export.layers import worst
from img2imu_export.pipeline import Export

_NAMED = 3


def complaint(made: Sequence[Export], windows: int) -> str:
    """The message for files with objections; empty if there is none.

    Args:
        made: What was exported.
        windows: How many windows the quantisers saw.
    """
    rejected = [one for one in made if one.objections]
    if not rejected:
        return ""
    lines: list[str] = []
    for one in rejected:
        files = ", ".join(path.name for path in one.files) or one.name
        lines.append(f"{files}: {'; '.join(one.objections)}")
        if named := worst(one.converted.layers, one.options.keep_float)[:_NAMED]:
            told = ", ".join(f"{layer.name} ({layer.sqnr_db:.1f} dB)" for layer in named)
            lines.append(f"  most of its noise comes from: {told}")
    if any(not one.target.exact for one in rejected):
        lines.append("what helps, the quickest first:")
        advice = [(f"--windows {4 * windows}", "see more of the training's windows")]
        layers = [
            layer for one in rejected for layer in worst(one.converted.layers, one.options.keep_float)[:1]
        ]
        if layers:
            advice.append((f"--keep-float {layers[0].name}", "keep that layer in float32"))
            advice.append(("--keep-float auto", "keep as many as it takes"))
        advice.append(("--qat 300", "fine-tune the network for integers"))
        advice.append(("--to onnx-fp32", "leave it in float32"))
        width = max(len(option) for option, _ in advice)
        lines += [f"  {option:<{width}}  {what}" for option, what in advice]
    else:
        lines.append("a float32 file must equal its network: please report this, with the checkpoint")
    return "\n".join(lines)
