from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.dataset.digest import DatasetDigest, element

_texts = st.lists(st.text(max_size=8), max_size=12, unique=True)


def test_the_empty_set_and_a_known_set_are_pinned():
    assert DatasetDigest().hexdigest == "e5a00aa9991ac8a5ee3109844d84a55583bd20572ad3ffcd42792f3c36b183ad"
    known = DatasetDigest().add(element("batch", "contract", 3, "content"))
    assert known.hexdigest == "6744c1edaeca976778c5b5aaa76791088a6f32800883e409f6281f24a2e9d37a"


@given(_texts, st.randoms())
def test_order_does_not_matter(texts: list[str], random):
    shuffled = random.sample(texts, len(texts))
    assert _digest(shuffled) == _digest(texts)


@given(_texts, st.text(max_size=8))
def test_removing_undoes_adding(texts: list[str], other: str):
    assert _digest([*texts, other]).remove(other) == _digest(texts)


@given(_texts, _texts)
def test_different_sets_differ(one: list[str], other: list[str]):
    assert (_digest(one).hexdigest == _digest(other).hexdigest) == (set(one) == set(other))


def test_text_round_trips():
    digest = _digest(["a", "b"])
    assert DatasetDigest.from_text(digest.text) == digest


def _digest(texts: list[str]) -> DatasetDigest:
    digest = DatasetDigest()
    for text in texts:
        digest = digest.add(text)
    return digest
