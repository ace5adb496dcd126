"""Overlap: rows, groups or times that lie in more than one part of the split."""

import numpy as np
import polars as pl

from mlops_assets.features.split_by_time import rows_out_of_order
from mlops_assets.features.version import PARTS
from mlops_assets.verdict import Verdict


def no_overlap(
    parts: np.ndarray, content: np.ndarray, group: np.ndarray | None = None, times: pl.Series | None = None
) -> Verdict:
    """Whether each row content, and each group, lies in one part, and each part is newer than the ones before it.

    ``content`` and ``group`` are hashes of shape (n,), exact duplicates count as one row; ``times`` are those of a
    split by time. Excluded rows are in no part.
    """
    rows, where = _straddling(parts, content)
    groups = _straddling(parts, group)[0] if group is not None else 0
    late = rows_out_of_order(parts, times) if times is not None else {}
    used = parts != "excluded"
    copies = int(used.sum()) - len(np.unique(content[used]))
    repeated = f"{rows:,} rows occur in more than one part {where}, as {copies:,} rows repeat another one"
    seen = [repeated] if rows else []
    seen += [f"{groups:,} groups lie in more than one part"] if groups else []
    seen += [
        f"{count:,} {part} rows are not newer than the newest row of an earlier part"
        for part, count in late.items()
        if count
    ]
    return Verdict(
        name="no_overlap",
        outcome="failed" if seen else "passed",
        reason=f"{' and '.join(seen) or _separate(group, times)}; 0 are allowed",
        value=rows + groups + sum(late.values()),
        bound=0,
        rows=int(used.sum()),
        details={"rows": rows, "copies": copies, "groups": groups, "by_parts": where}
        | ({"not_newer": late} if late else {}),
    )


def _separate(group: np.ndarray | None, times: pl.Series | None) -> str:
    looked_at = [
        "0 rows occur in more than one part",
        *(["0 groups do"] if group is not None else []),
        *([f"0 rows are as old as a row of an earlier part by {times.name!r}"] if times is not None else []),
    ]
    return " and ".join(looked_at)


def _straddling(parts: np.ndarray, keys: np.ndarray) -> tuple[int, dict[str, int]]:
    """How many keys lie in more than one part, and how many between which."""
    pairs = pl.DataFrame({"key": keys, "part": pl.Series(parts, dtype=pl.Enum(PARTS))})
    pairs = pairs.filter(pl.col("part") != "excluded").unique()
    torn = pairs.filter(pl.col("key").is_duplicated()).with_columns(pl.col("part").cast(pl.String))
    torn = torn.group_by("key").agg(pl.col("part").sort().str.join(" and "))
    where = torn["part"].value_counts().sort("part")
    return torn.height, dict(zip(where["part"], where["count"], strict=True))
