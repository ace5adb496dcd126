import numpy as np
import pytest

from mlops_assets.metrics import bootstrap
from mlops_assets.metrics.bootstrap import Bootstrap, gather_atoms, replicate

ROWS = 200


def columns(distinct: int) -> list[np.ndarray]:
    """A column of ``distinct`` values, of which the first is the most frequent, and a constant one."""
    values = np.arange(ROWS)
    return [values if distinct == ROWS else values**2 * distinct // ROWS**2, np.zeros(ROWS)]


@pytest.mark.parametrize("distinct", [4, 60, ROWS], ids=["binomial per atom", "rows into atoms", "every row its own"])
def test_counts_of_atoms_are_multinomial(distinct: int) -> None:
    atoms = gather_atoms(columns(distinct))
    weights = atoms.draw(20_000, np.random.default_rng(1))
    share = atoms.size / ROWS
    assert weights.shape == (20_000, len(atoms.row))
    assert (weights.sum(axis=1) == ROWS).all()
    np.testing.assert_allclose(weights.mean(axis=0), ROWS * share, rtol=0.05)
    np.testing.assert_allclose(weights.var(axis=0), ROWS * share * (1 - share), rtol=0.08)
    covariance = np.cov(weights[:, 0], weights[:, 1])
    error = 4 * np.sqrt(covariance[0, 0] * covariance[1, 1] / 20_000)
    assert covariance[0, 1] == pytest.approx(-ROWS * share[0] * share[1], abs=error)


def test_atoms_are_rows_that_agree_in_every_column() -> None:
    atoms = gather_atoms([np.array([1, 1, 2, 1, 2, 1, 1]), np.array([5, 5, 5, 6, 5, 5, 5])])
    assert sorted(atoms.size.tolist()) == [1, 2, 4]
    assert atoms.of_row is not None
    assert len(set(atoms.of_row[[0, 1, 5, 6]].tolist())) == 1


def test_a_group_is_drawn_whole() -> None:
    groups = np.arange(ROWS) // 10
    atoms = gather_atoms(columns(ROWS), groups)
    weights = atoms.draw(300, np.random.default_rng(0)).reshape(300, 20, 10)
    assert atoms.units == 20
    assert (weights == weights[:, :, :1]).all()
    assert (weights[:, :, 0].sum(axis=1) == 20).all()


def test_atoms_never_reach_over_a_group() -> None:
    groups = np.arange(ROWS) // 10
    atoms = gather_atoms([np.zeros(ROWS)], groups)
    weights = atoms.draw(50, np.random.default_rng(0))
    assert len(atoms.row) == 20
    assert (weights.sum(axis=1) == ROWS).all()
    assert (weights % 10 == 0).all()


def test_the_draws_depend_on_the_seed_not_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    atoms = gather_atoms(columns(ROWS))
    values = np.random.default_rng(0).normal(size=ROWS)

    def mean(weights: np.ndarray) -> dict[str, np.ndarray]:
        return {"mean": np.array([(row * values).sum() for row in weights])}

    monkeypatch.setattr(bootstrap, "CELLS_PER_CHUNK", 5_000)
    alone = replicate([mean], atoms, Bootstrap(resamples=311, seed=7))[0]["mean"]
    monkeypatch.setattr(bootstrap, "PARALLEL_CELLS", 1)
    together = replicate([mean], atoms, Bootstrap(resamples=311, seed=7))[0]["mean"]
    other = replicate([mean], atoms, Bootstrap(resamples=311, seed=8))[0]["mean"]
    assert alone.shape == (311,)
    assert (alone == together).all()
    assert not (alone == other).any()
