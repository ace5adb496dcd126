"""McNemar: the difference of two accuracies on the same rows, from the rows on which just one model is right."""

import math
from dataclasses import dataclass

import numpy as np

from mlops_assets.comparison.difference import Difference, quantile
from mlops_assets.metrics.outcomes import Outcomes

NAME = "McNemar (exact)"


@dataclass(frozen=True)
class Discordance:
    """Of ``rows`` rows, ``ours`` are right only for the challenger and ``theirs`` only for the champion."""

    ours: int
    theirs: int
    rows: int

    @property
    def share(self) -> float:
        """Accuracy of the challenger less that of the champion."""
        return (self.ours - self.theirs) / self.rows

    @property
    def exact_p(self) -> float:
        """Two-sided binomial test that both kinds of discordance are as likely (McNemar 1947)."""
        from scipy.stats import binom

        tail = binom.cdf(min(self.ours, self.theirs), self.ours + self.theirs, 0.5)
        return min(1.0, 2 * float(tail))

    def chi_squared(self, continuity: bool = False) -> tuple[float, float]:
        """McNemar's statistic with one degree of freedom and its p; with Edwards's (1948) correction where asked."""
        discordant = self.ours + self.theirs
        if discordant == 0:
            return 0.0, 1.0
        statistic = max(abs(self.ours - self.theirs) - continuity, 0) ** 2 / discordant
        return statistic, math.erfc(math.sqrt(statistic / 2))

    @property
    def standard_error(self) -> float:
        """Of ``share``, after half a row is added to each cell of the table; above 0 even without discordance."""
        return _spread(self.ours + 0.5, self.theirs + 0.5, self.rows + 2)

    def interval(self, confidence: float) -> tuple[float, float]:
        """Agresti & Min's interval of ``share``, widened to hold 0 where the exact test does not reject.

        Wald's after half a row is added to each of the four cells: Agresti & Min (2005), "Simple improved confidence
        intervals for comparing matched proportions", Statistics in Medicine 24.
        """
        centre, half = (self.ours - self.theirs) / (self.rows + 2), quantile(confidence) * self.standard_error
        held = [self.share] if self.exact_p < 1 - confidence else [self.share, 0.0]
        return max(min(centre - half, *held), -1.0), min(max(centre + half, *held), 1.0)


def mcnemar(challenger: Outcomes, champion: Outcomes, confidence: float = 0.95) -> Difference:
    """The exact test with its interval; the statistic is the signed root of χ² without correction.

    A model compared with itself differs by nothing, [0, 0]; two models that only happen to be right on the same rows
    do not: other rows may tell them apart.

    Example:
        >>> import numpy as np
        >>> from mlops_assets.metrics.outcomes import Predictions, read_outcomes
        >>> truth, row = np.repeat([0, 1], 50), np.arange(100)
        >>> challenger = read_outcomes("classification", truth, Predictions(truth ^ (row < 10)))
        >>> champion = read_outcomes("classification", truth, Predictions(truth ^ (row > 74)))
        >>> difference = mcnemar(challenger, champion)
        >>> difference.value, round(difference.p_value, 3)
        (0.15, 0.017)
    """
    if _same_answers(challenger, champion):
        return Difference(0.0, (0.0, 0.0), NAME, 0.0, 1.0, 0.0)
    counted = discordance(challenger, champion)
    root = math.copysign(math.sqrt(counted.chi_squared()[0]), counted.share)
    interval = counted.interval(confidence)
    return Difference(counted.share, interval, NAME, root, counted.exact_p, counted.standard_error)


def discordance(challenger: Outcomes, champion: Outcomes) -> Discordance:
    """Counts of rows on which just one of two classifiers is right."""
    right, other = challenger.predicted == challenger.truth, champion.predicted == champion.truth
    return Discordance(int((right & ~other).sum()), int((other & ~right).sum()), len(challenger))


def _same_answers(challenger: Outcomes, champion: Outcomes) -> bool:

    ours, theirs = challenger.probabilities, champion.probabilities
    if ours is None or theirs is None:
        return ours is theirs and np.array_equal(challenger.predicted, champion.predicted)
    return np.array_equal(challenger.predicted, champion.predicted) and np.array_equal(ours, theirs)


def _spread(ours: float, theirs: float, rows: float) -> float:
    return math.sqrt(ours + theirs - (ours - theirs) ** 2 / rows) / rows
