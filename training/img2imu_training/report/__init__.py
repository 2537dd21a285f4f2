"""The picture report of a fine-tuning or evaluation run: one HTML file that needs nothing else.

`contents.Report` says what goes in, `measures` computes it from labels and logits, and
`render.write` makes the file.
"""
