"""Turn a trained network into one model file that carries its own card."""
