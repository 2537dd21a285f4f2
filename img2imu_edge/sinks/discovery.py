"""Home Assistant's MQTT discovery: what a source's entities are, in the form of its sensor configuration.

See https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from img2imu_edge.sinks.names import slug

_PERCENT: Final = {"unit_of_measurement": "%", "suggested_display_precision": 0}
_TOTAL: Final = {"state_class": "total_increasing", "entity_category": "diagnostic"}

# Key, name, topic, template, further keys.
_ENTITIES: Final[tuple[tuple[str, str, str, str, dict[str, Any]], ...]] = (
    ("activity", "Activity", "decision", "{{ value_json.label or 'none' }}", {"icon": "mdi:run"}),
    ("confidence", "Confidence", "decision", "{{ value_json.confidence * 100 }}", _PERCENT),
    ("coverage", "Coverage", "decision", "{{ value_json.coverage * 100 }}",
     {**_PERCENT, "entity_category": "diagnostic"}),
    ("samples_lost", "Samples lost", "counters", "{{ value_json.samples_lost }}", _TOTAL),
    ("reconnects", "Reconnects", "counters", "{{ value_json.reconnects }}", _TOTAL),
    ("battery", "Battery", "counters", "{{ value_json.battery }}",
     {**_PERCENT, "device_class": "battery", "entity_category": "diagnostic"}),
)  # fmt: skip


def entities(prefix: str, topic: str, name: str, source: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What Home Assistant is told about a source.

    Args:
        prefix: Its discovery prefix.
        topic: Where our messages go.
        name: The source's name in topics.
        source: Its name for people.

    Yields:
        Topics and the configurations that they are to keep.
    """
    device = f"{slug(topic)}_{name}"
    for key, title, kind, template, more in _ENTITIES:
        yield (
            f"{prefix}/sensor/{device}/{key}/config",
            {
                "name": title,
                "unique_id": f"img2imu_{device}_{key}",
                "state_topic": f"{topic}/{name}/{kind}",
                "value_template": template,
                "availability_topic": f"{topic}/status",
                "device": {"identifiers": [f"img2imu_{device}"], "name": source, "model": "img2imu-edge"},
                "origin": {"name": "img2imu-edge"},
                **more,
            },
        )
