"""Learn to recognise motion: data, networks, training, evaluation."""
