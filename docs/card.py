"""The example in docs/model-card.md: `python docs/card.py` writes it anew from the shipped model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import img2imu_edge as i2e

PAGE = Path(__file__).with_name("model-card.md")
BLOCK = re.compile(r"(?<=```json\n).*?(?=\n```)", re.DOTALL)
SHORT = re.compile(r"\[[^\[\]{}]*\]")


def example() -> str:
    """The card of `shoulder` as JSON, its long values shortened, short lists on one line."""
    card = json.loads(i2e.load_model("shoulder").card.to_json())
    novelty = card["decision"]["novelty"]
    classes, numbers = len(novelty["centroids"]), len(novelty["spread"])
    novelty |= {"centroids": f"{classes} × {numbers} numbers", "spread": f"{numbers} numbers"}
    card["sha256"] = dict.fromkeys(card["sha256"], "64 hexadecimal digits")
    text = json.dumps(card, indent=2, ensure_ascii=False)
    return SHORT.sub(
        lambda found: re.sub(r"\s*\n\s*", " ", found[0]).replace("[ ", "[").replace(" ]", "]"), text
    )


def main() -> None:
    """Write it."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(BLOCK.sub(lambda _: example(), page), encoding="utf-8")


if __name__ == "__main__":
    main()
