"""The page: what a browser gets in one piece, put together from its parts."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

_STYLES = ("page.css",)
_SCRIPTS = ("tools.js", "card.js", "why.js", "link.js")
"""In this order: the last one starts it."""


def read_page() -> tuple[str, dict[str, str]]:
    """The page, and headers that let it do what it does and nothing else."""
    page = _read("page.html")
    policy = "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    policy += "frame-ancestors 'none'"
    for tag, names in (("style", _STYLES), ("script", _SCRIPTS)):
        text = "\n" + "\n".join(map(_read, names))
        page = page.replace(f"<{tag}></{tag}>", f"<{tag}>{text}</{tag}>")
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        policy += f"; {tag}-src 'sha256-{digest}'"
    return page, {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def _read(name: str) -> str:
    return files("img2imu_edge.dashboard").joinpath(name).read_text(encoding="utf-8")
