from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warrener.id_set import IdSet


@given(st.lists(st.text(st.characters())))
def test_set_of_ids_is_a_set(names: list[str]) -> None:
    seen = IdSet()
    assert [seen.add(name) for name in names] == [
        name not in names[:index] for index, name in enumerate(names)
    ]
    assert len(seen) == len(set(names))
    assert all(name in seen for name in names)


def test_it_grows() -> None:
    seen = IdSet()
    assert all(seen.add(f"t{number}") for number in range(5000))
    assert not any(seen.add(f"t{number}") for number in range(5000))
