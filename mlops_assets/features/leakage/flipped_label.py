"""Flipped labels: a feature that is the class itself, with errors.

An honest feature of as many values as there are classes goes with other features also among the rows of one class:
whatever causes it, causes them. Errors in a copied label do not. They are as frequent in every class, and no other
feature tells where they are, although other features tell the class.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

ROWS, ERRORS = 150, 30
"""Fewest rows, and rows in which feature and class differ, that show whether errors go with anything."""
AGREEMENT = 0.2
"""Smallest agreement beyond chance, as a share of what is possible."""
RELATED = 1e-4
"""Probability by chance below which a feature tells the class."""
CATEGORIES = 5
"""Most frequent categories of a feature that are looked at."""
UNRELATED = 0.01
"""Probability, over all features together, from which errors go with none; that they go evenly with the classes."""


class FlippedLabel(NamedTuple):
    """A feature that agrees with the class but for errors of no pattern."""

    feature: str
    agreement: float
    """Share of the rows in which both are the same."""
    others: int
    """Features that tell the class, and not the errors."""


def flipped_labels(features: pd.DataFrame, target: np.ndarray) -> Iterator[FlippedLabel]:
    """Features that look like the class with errors; ``target`` has shape (n,), classes as positions."""
    target = np.unique(target, return_inverse=True)[1]
    copies = {str(name): codes for name, values in features.items() if (codes := _recoded(values, target)) is not None}
    if not copies or len(target) < ROWS:
        return
    ranks = {str(name): list(_traits(values)) for name, values in features.items()}
    for name, codes in copies.items():
        others = {other: traits for other, traits in ranks.items() if other != name}
        telling = _telling(others, target)
        if telling and _even(codes, target) and _without_pattern(codes, target, others):
            yield FlippedLabel(name, float((codes == target).mean()), telling)


def _recoded(values: pd.Series, target: np.ndarray) -> np.ndarray | None:
    """The feature's values as the classes they mostly stand for; None unless each class has its own one."""
    classes = int(target.max()) + 1
    codes, levels = pd.factorize(values, sort=values.dtype != object)
    if len(levels) != classes or (codes < 0).any():
        return None
    counts = np.bincount(codes * classes + target, minlength=classes**2).reshape(classes, classes)
    meant = (counts / np.bincount(target)).argmax(axis=1)
    if len(np.unique(meant)) < classes:
        return None
    recoded = meant[codes]
    recalls = np.bincount(target[recoded == target], minlength=classes) / np.bincount(target)
    errors = int((recoded != target).sum())
    return recoded if errors >= ERRORS and recalls.mean() - 1 / classes >= AGREEMENT * (1 - 1 / classes) else None


def _even(codes: np.ndarray, target: np.ndarray) -> bool:
    """Whether errors are as frequent in every class."""
    from scipy.special import gammaincc

    sizes, errors = np.bincount(target), np.bincount(target[codes != target], minlength=int(target.max()) + 1)
    share = errors.sum() / sizes.sum()
    distance = ((errors - sizes * share) ** 2 / (sizes * share * (1 - share))).sum()
    return float(gammaincc((len(sizes) - 1) / 2, distance / 2)) >= UNRELATED


def _traits(values: pd.Series) -> Iterator[np.ndarray]:
    """Numbers that stand for a feature: its ranks and how far they are from the middle, or its frequent categories."""
    from scipy.stats import rankdata

    if values.dtype == object:
        levels, counts = np.unique(values.to_numpy(dtype=str), return_counts=True)
        for level in levels[np.argsort(-counts, kind="stable")[:CATEGORIES]]:
            yield (values == level).to_numpy(dtype=float)
        return
    numbers = values.to_numpy(dtype=float)
    empty = np.isnan(numbers)
    ranks = np.where(empty, (len(numbers) + 1) / 2, rankdata(numbers))
    yield ranks
    yield np.abs(ranks - ranks.mean())
    if empty.any():
        yield empty.astype(float)


def _telling(others: dict[str, list[np.ndarray]], target: np.ndarray) -> int:
    whole = np.zeros_like(target)
    return sum(min(_chances(traits, target, whole), default=1.0) < RELATED for traits in others.values())


def _without_pattern(codes: np.ndarray, target: np.ndarray, others: dict[str, list[np.ndarray]]) -> bool:
    chances = [chance for traits in others.values() for chance in _chances(traits, codes, target)]
    return min(chances) * len(chances) >= UNRELATED


def _chances(traits: list[np.ndarray], codes: np.ndarray, strata: np.ndarray) -> Iterator[float]:
    """Probability by chance of each trait's relation to the codes within strata: a stratified test by linear scores."""
    from scipy.special import ndtr

    for trait in traits:
        for label in range(1 if codes.max() == 1 else 0, int(codes.max()) + 1):
            score = _stratified(trait, (codes == label).astype(float), strata)
            yield float(2 * ndtr(-abs(score)))


def _stratified(trait: np.ndarray, marked: np.ndarray, strata: np.ndarray) -> float:
    """Standardised covariance within strata, each with the variance of its permutations."""
    total, variance = 0.0, 0.0
    for stratum in np.unique(strata):
        x, mark = trait[strata == stratum], marked[strata == stratum]
        if len(x) > 1:
            total += ((x - x.mean()) * mark).sum()
            variance += len(x) / (len(x) - 1) * len(x) * x.var() * mark.var()
    return total / np.sqrt(variance) if variance > 0 else 0.0
