"""``python -m mlops_assets`` is ``mlops``."""

from mlops_assets.cli import main

main()
