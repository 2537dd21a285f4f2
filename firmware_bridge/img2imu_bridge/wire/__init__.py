"""The wire protocol, version 1: framing, messages, and from messages to timed samples."""
