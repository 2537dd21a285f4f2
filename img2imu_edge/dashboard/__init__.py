"""The live dashboard: a page in the browser that shows what the wearables do and what the model says.

`Feed` holds what is shown and hands it to the browsers; `Dashboard` serves it; `Watcher` feeds it from the
runner. Only `Dashboard` needs the extra `web`.
"""

from __future__ import annotations

from img2imu_edge.dashboard.address import DEFAULT, Address
from img2imu_edge.dashboard.feed import Feed
from img2imu_edge.dashboard.server import Dashboard
from img2imu_edge.dashboard.watcher import Watcher

__all__ = ["DEFAULT", "Address", "Dashboard", "Feed", "Watcher"]
