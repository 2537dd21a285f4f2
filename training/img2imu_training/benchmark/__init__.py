"""The few-label benchmark: tasks × methods × labels per class × seeds, on people whom no method has seen."""
