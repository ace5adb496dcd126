"""The reference pages say what the code says."""

from pathlib import Path

import pytest

from mlops_assets.cli.reference import PAGES

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_code_says(name: str):
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name](), "run: python -m mlops_assets.cli.reference"
