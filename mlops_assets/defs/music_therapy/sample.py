"""The sample of music_therapy: tracks whose therapy category follows a rule, with label noise."""

import numpy as np
import pandas as pd

TRACKS = 3_000
LABEL_NOISE = 0.05
RANGES = {
    "tempo": (60.0, 180.0),
    "energy": (0.0, 1.0),
    "valence": (0.0, 1.0),
    "danceability": (0.0, 1.0),
    "acousticness": (0.0, 1.0),
    "instrumentalness": (0.0, 1.0),
    "liveness": (0.0, 0.3),
    "speechiness": (0.0, 0.4),
    "loudness": (-30.0, 0.0),
    "duration_ms": (30_000.0, 300_000.0),
}
"""Uniform range of each audio feature."""
CORRELATIONS = {
    ("energy", "loudness"): 0.7,
    ("energy", "acousticness"): -0.6,
    ("energy", "tempo"): 0.25,
    ("valence", "danceability"): 0.45,
    ("instrumentalness", "speechiness"): -0.3,
    ("acousticness", "loudness"): -0.4,
}
"""Rank correlation of the Gaussian copula behind the uniform ranges; all other pairs are independent."""


def rows() -> pd.DataFrame:
    """3,000 tracks: ten audio features and the therapy category, 5 % of the labels wrong."""
    from scipy.special import ndtr

    random = np.random.default_rng(42)
    uniform = ndtr(random.multivariate_normal(np.zeros(len(RANGES)), _correlation(), TRACKS, method="cholesky"))
    low, high = np.array(list(RANGES.values())).T
    tracks = pd.DataFrame((low + uniform * (high - low)).round(4), columns=pd.Index(RANGES))
    return tracks.assign(duration_ms=tracks["duration_ms"].round(), category=_noisy(_category(tracks), random))


def _category(tracks: pd.DataFrame) -> np.ndarray:

    lively = (tracks["valence"] > 0.7) & (tracks["energy"] > 0.6)
    calm = (tracks["valence"] < 0.4) & (tracks["energy"] < 0.5)
    return np.select([lively, calm], ["motivation", "relaxation"], "focus")


def _noisy(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:

    names, codes = np.unique(labels, return_inverse=True)
    flipped = random.random(len(labels)) < LABEL_NOISE
    shift = random.integers(1, len(names), len(labels))
    return names[np.where(flipped, (codes + shift) % len(names), codes)]


def _correlation() -> np.ndarray:

    names = list(RANGES)
    matrix = np.eye(len(names))
    for (first, second), value in CORRELATIONS.items():
        i, j = names.index(first), names.index(second)
        matrix[i, j] = matrix[j, i] = value
    return matrix
