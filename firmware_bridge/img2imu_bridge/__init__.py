"""From a wearable's bytes to timed samples in SI units: wire protocol, sources, virtual wearable."""
