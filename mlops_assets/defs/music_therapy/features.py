"""Engineered features of music_therapy."""

import pandas as pd

ENERGY_FLOOR = 0.05
"""Below this, energy counts as this much: a silent track must not make an endless ratio."""


def engineer(tracks: pd.DataFrame) -> pd.DataFrame:
    """The audio features and three combinations of them."""
    return tracks.assign(
        tempo_energy_ratio=tracks["tempo"] / tracks["energy"].clip(lower=ENERGY_FLOOR),
        valence_energy_interaction=tracks["valence"] * tracks["energy"],
        acoustic_speech_balance=tracks["acousticness"] - tracks["speechiness"],
    )
