"""The picture of the line is drawn from the code and kept in docs/."""

from pathlib import Path

from mlops_assets.cli.line_picture import shipped_picture

COMMITTED = Path(__file__).parents[2] / "docs" / "images" / "line.svg"


def test_the_picture_is_what_the_code_says():
    assert COMMITTED.read_text(encoding="utf-8") == shipped_picture(), "run: python -m mlops_assets.cli.line_picture"
