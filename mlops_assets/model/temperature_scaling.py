"""Temperature: the one number that makes overconfident or timid probabilities right on average."""

import numpy as np

LEAST_INVERSE, MOST_INVERSE = 0.01, 100.0
"""Bounds of one over the temperature."""


def fit_temperature(probabilities: np.ndarray, truth: np.ndarray) -> float | None:
    """The divisor of the logits with the least log loss (Guo et al. 2017); None where no finite positive one is best.

    ``probabilities`` has shape (n, k), ``truth`` holds their column. Log loss is convex in one over the temperature.
    """
    from scipy.optimize import brentq
    from scipy.special import softmax

    logits = _logits(probabilities)
    true = logits[np.arange(len(truth)), truth]

    def slope(inverse: float) -> float:
        return float(np.mean((softmax(inverse * logits, axis=1) * logits).sum(axis=1) - true))

    # Probabilities that say nothing have slope 0 everywhere, and no temperature.
    if not slope(LEAST_INVERSE) < 0 < slope(MOST_INVERSE):
        return None
    return 1 / float(brentq(slope, LEAST_INVERSE, MOST_INVERSE))  # type: ignore[arg-type]


def rescale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities whose logits are divided by ``temperature``."""
    from scipy.special import softmax

    return softmax(_logits(probabilities) / temperature, axis=1)


def _logits(probabilities: np.ndarray) -> np.ndarray:

    eps = np.finfo(probabilities.dtype).eps
    return np.log(np.clip(probabilities, eps, 1).astype(np.float64))
