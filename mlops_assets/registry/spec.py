"""What a system declares about registration and promotion."""

from pydantic import Field

from mlops_assets.declared import Declared


class RegistrySpec(Declared):
    """How a challenger is compared with the champion."""

    metric: str | None = None
    """Metric of the comparison; by default accuracy or mean absolute error."""
    margin: float = Field(default=0.0, ge=0)
    """How much worse, in units of the metric, the challenger may be at the conservative end of the interval."""
