"""Long and heavy runs over genuine links: `python -m benchmarks.soak`, `python -m benchmarks.load`."""
