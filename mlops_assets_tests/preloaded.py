"""What the server of forked test processes imports once, as the platform itself would: skops without torch."""

from mlops_assets.model.skops_format import skops_io

skops_io()
