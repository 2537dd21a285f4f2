"""The runtime is light: NumPy and one engine, and never torch."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "scipy", "sklearn", "PIL", "onnx", "tensorflow"}:
            raise ImportError(f"{name} must not be needed")

sys.meta_path.insert(0, Block())
import img2imu_edge as i2e
assert "onnxruntime" not in sys.modules, "the engine loads with the first model, not with the package"
decisions = i2e.classify_recording(i2e.demo_recording(), i2e.load_model("shoulder"))
foreign = {"bleak", "serial", "typer", "rich", "torch"} & set(sys.modules)
print(len(decisions), sorted(foreign))
"""


def test_the_runtime_classifies_with_torch_blocked() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count, foreign = done.stdout.split(maxsplit=1)
    assert int(count) > 100
    assert foreign.strip() == "[]"
