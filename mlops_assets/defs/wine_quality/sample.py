"""The sample of wine_quality: scikit-learn's bundled Wine data."""

from typing import Any

import pandas as pd


def rows() -> pd.DataFrame:
    """178 wines, 13 measurements, and the cultivar (1, 2, 3) each was made from.

    Source: UCI Wine (Forina et al.), as scikit-learn ships it.
    """
    from sklearn.datasets import load_wine

    bunch: Any = load_wine(as_frame=True)
    wines: pd.DataFrame = bunch.frame
    wines = wines.rename(columns={"od280/od315_of_diluted_wines": "od280_od315", "target": "cultivar"})
    return wines.assign(cultivar=wines["cultivar"] + 1)
