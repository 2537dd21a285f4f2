"""Every shipped model on this CPU: what it proves of itself, and its decisions on the demo's recording.

Imports the runtime alone: no pytest, no subprocess, nothing that emulation of one process does not have.
"""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

import img2imu_edge as i2e
from img2imu_edge.verify import verify


def main(output: Path) -> None:
    """Write what this CPU computes, by the model's file.

    Args:
        output: A JSON file.
    """
    recording = i2e.read_recording(i2e.demo_recording())
    found = {}
    for path in sorted((Path(i2e.__file__).parent / "models").iterdir()):
        model = i2e.load_model(path)
        decisions = i2e.classify_recording(recording, model)
        assert model.golden is not None
        shown = model.golden.pictures if model.card.input.form == "picture" else model.golden.samples
        found[path.name] = {
            "engine": model.engine.name,
            "stages": {s.name: [s.error, s.bound, bool(s.passed)] for s in verify(model)},
            "labels": [decision.label for decision in decisions],
            "confidences": [decision.confidence for decision in decisions],
            "logits": [model.engine.run(window).logits.tolist() for window in shown],
        }
    output.write_text(json.dumps({"machine": platform.machine(), "models": found}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
