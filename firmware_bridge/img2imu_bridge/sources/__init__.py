"""Sources by URL scheme: `serial:`, `replay:`, `virtual:`."""
