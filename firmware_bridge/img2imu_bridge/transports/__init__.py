"""What carries messages: one module per carrier, each a `Transport`."""
