"""Values written as YAML read back as the same values."""

import math

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from mlops_assets.drafting.yaml_flow import comment, flow

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
SCALARS = st.one_of(
    TEXTS,
    st.booleans(),
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["yes", "No", "null", "~", "1e5", "0x1f", "12:30", "2026-05-31", "- a", "a: b", "#", "", " ", "."]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=8
)


@given(VALUES)
@example({"on": "off", "1e5": 1e-05, "naïve: #1, {x}": ["\u2028\x85\x7f\ufeff\U0001f600", "\ud7ff"]})
def test_a_value_reads_back_as_it_was(value: object):
    assert yaml.safe_load(flow({"key": value})) == {"key": value}


@given(TEXTS)
def test_a_comment_stays_one_line_that_says_nothing_to_a_reader(told: str):
    assert yaml.safe_load(f"a: 1  # {comment(told)}\nb: 2\n") == {"a": 1, "b": 2}


def test_a_long_name_is_written_at_once():
    assert flow("a" * 500 + ".") == '"' + "a" * 500 + '."'
    assert math.isclose(yaml.safe_load(flow(1e-7)), 1e-7)
