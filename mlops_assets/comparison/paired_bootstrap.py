"""Paired bootstrap: two models measured on the same resamples of rows, or of groups of rows."""

import math

import numpy as np

from mlops_assets.comparison.bca import Correction, WeightedStatistic, correct, jackknife
from mlops_assets.comparison.difference import Difference, quantile
from mlops_assets.comparison.method import Method, enough_resamples
from mlops_assets.errors import NotEvaluated
from mlops_assets.metrics.bootstrap import Atoms, Bootstrap, replicate
from mlops_assets.metrics.intervals import UNDEFINED_AT_MOST, percentile_interval, undefined_share

PERCENTILE, BCA = "paired bootstrap (percentile)", "paired bootstrap (BCa)"


def paired_bootstrap(
    name: str, measure: WeightedStatistic, atoms: Atoms, value: float, bootstrap: Bootstrap, method: Method = "auto"
) -> Difference:
    """The interval of a difference whose value on the rows is ``value`` and on weighted rows ``measure``.

    The p-value inverts the interval: one less the confidence at which it ends at zero. Where ``bca`` is undefined,
    percentiles are given with a note.

    Raises:
        NotEvaluated: if the difference is undefined on too many resamples.

    Example:
        >>> import numpy as np
        >>> from mlops_assets.metrics.bootstrap import STANDARD, gather_atoms
        >>> saved = np.tile([0.0, 0.0, 1.0, -0.5], 25)  # what the challenger saves on each row
        >>> atoms = gather_atoms([saved])
        >>> of_atom = saved[atoms.row]
        >>> mean = lambda weights: weights @ of_atom / weights.sum(axis=1)
        >>> difference = paired_bootstrap("saving", mean, atoms, float(saved.mean()), STANDARD)
        >>> difference.value, [round(float(end), 2) for end in difference.interval]
        (0.125, [0.03, 0.23])
    """

    chosen = enough_resamples(bootstrap, method)
    replicates = replicate([lambda weights: {name: measure(weights)}], atoms, chosen)[0][name]
    undefined = undefined_share(replicates)
    if undefined > UNDEFINED_AT_MOST:
        raise NotEvaluated(f"{name}: no interval, undefined on {undefined:.0%} of the resamples")
    defined = replicates[np.isfinite(replicates)]
    error = float(defined.std(ddof=1))
    statistic = 0.0 if value == 0 else value / error if error > 0 else None
    correction = correct(defined, value, jackknife(measure, atoms, bootstrap.seed)) if method == "bca" else None
    corrected = correction.interval(defined, bootstrap.confidence) if correction else None
    if correction and corrected:
        interval = min(corrected[0], value), max(corrected[1], value)
        return Difference(value, interval, BCA, statistic, _corrected_p(correction, defined), error)
    note = "BCa is undefined without spread on both sides, so percentiles are given" if method == "bca" else ""
    units, p = None, _percentile_p(defined)
    if method == "auto":
        units, p = atoms.units, _expanded_p(p, atoms.units)
    interval = percentile_interval(defined, value, bootstrap.confidence, units)
    return Difference(value, interval, PERCENTILE, statistic, p, error, note)


def _expanded_p(p: float, units: int) -> float:
    """The p at whose confidence the expanded interval ends where the plain one does at ``p``."""
    from scipy.stats import t

    return 2 * float(t.sf(quantile(1 - p) * math.sqrt((units - 1) / units), units - 1))


def _percentile_p(replicates: np.ndarray) -> float:

    tail = min(np.count_nonzero(replicates <= 0), np.count_nonzero(replicates >= 0))
    return min(1.0, 2 * (tail + 1) / (len(replicates) + 1))


def _corrected_p(correction: Correction, replicates: np.ndarray) -> float:
    return min(1.0, max(correction.p_value(replicates), 1 / (len(replicates) + 1)))
