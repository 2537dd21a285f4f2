"""A virtual wearable: a process that speaks the wire protocol over a pseudo-terminal, from a recording."""
