from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warrener import marks
from warrener.errors import WarrenerError
from warrener.id_set import IdSet
from warrener.marks import Marks, mark_of


@given(st.lists(st.text(st.characters())))
def test_set_of_ids_is_a_set(names: list[str]) -> None:
    seen = IdSet()
    assert [seen.add(name) for name in names] == [
        name not in names[:index] for index, name in enumerate(names)
    ]
    assert all(name in seen for name in names)


def test_it_grows() -> None:
    seen = IdSet()
    assert all(seen.add(f"t{number}") for number in range(5000))
    assert not any(seen.add(f"t{number}") for number in range(5000))


Deed = tuple[str, int, int]
DEEDS: st.SearchStrategy[Deed] = st.tuples(
    st.sampled_from(["add", "take", "take from all"]), st.integers(0, 30), st.sampled_from([1, 2, 4])
)


@pytest.mark.parametrize(("most_quick", "most_in_memory"), [(5, 0), (5, 5), (5, 10), (5, 1000), (1000, 1000)])
@given(deeds=st.lists(DEEDS, max_size=100))
def test_marks_have_the_flags_they_were_given(
    most_quick: int, most_in_memory: int, deeds: list[Deed]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(marks, "_MOST_QUICK", most_quick)
        kept, expected = Marks(most_in_memory), dict.fromkeys(range(31), 0)
    for verb, number, flag in deeds:
        mark = mark_of(str(number))
        if verb == "add":
            assert kept.add(mark, flag) == expected[number]
            expected[number] |= flag
        elif verb == "take":
            kept.take(flag, mark)
            expected[number] &= ~flag
        else:
            kept.take(flag)
            expected = {one: flags & ~flag for one, flags in expected.items()}
        assert [kept.flags(mark_of(str(one))) for one in expected] == [*expected.values()]


@pytest.mark.parametrize("most_quick", [10, 2000])
def test_many_move_to_disk_and_stay_the_same(monkeypatch: pytest.MonkeyPatch, most_quick: int) -> None:
    monkeypatch.setattr(marks, "_MOST_QUICK", most_quick)
    kept = Marks(1000)
    for number in range(5000):
        assert kept.add(mark_of(str(number)), 1 + number % 2) == 0
    assert [kept.flags(mark_of(str(number))) for number in range(5001)] == [1, 2] * 2500 + [0]


def test_disk_without_room_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Marks(10)
    monkeypatch.setattr(marks, "_CACHE_KIB", 100)
    for number in range(11):
        kept.add(mark_of(str(number)), 1)
    kept._kept._db.execute("PRAGMA max_page_count = 2")  # type: ignore[union-attr]

    def add_many() -> None:
        for number in range(10_000):
            kept.add(mark_of(str(number)), 1)

    with pytest.raises(WarrenerError, match="set TMPDIR to a directory with more room"):
        add_many()
