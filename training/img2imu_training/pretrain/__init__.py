"""Contrastive pre-training of a backbone on pictures: views, objectives, the loop and its files."""
