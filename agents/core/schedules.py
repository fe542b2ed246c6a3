"""Hyperparameters that change over the training."""


def linear(start: float, end: float, progress: float) -> float:
    """From `start` at progress 0 to `end` at progress 1 and after."""
    return start + (end - start) * min(1.0, max(0.0, progress))
