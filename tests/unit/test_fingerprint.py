"""What makes failures one group: the cause, whichever task it hits."""

from __future__ import annotations

from typing import Any

import pytest

from warrener.failures import Groups
from warrener.failures.fingerprint import fingerprint
from warrener.failures.grouping import MAX_GROUPS, MAX_OF_AN_ERROR
from warrener.models import Failure, Reason


def failure(
    message: str,
    task_id: str = "t",
    *,
    error: str = "ValueError",
    reason: Reason = "exhausted",
    data: dict[str, Any] | None = None,
    failed_at: float | None = 1.0,
) -> Failure:
    task = {"id": task_id, "type": "resize", "data": data or {}}
    return Failure(task_id, "resize", reason, error, message, 1, failed_at, (), task, origin=f"a:{task_id}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[Errno 2] No such file or directory: 'a.jpg'", "[Errno 2] No such file or directory: 'b/c d.jpg'"),
        ("it's wrong in /data/a/b.csv, line 7", "it's wrong in /data/c.csv, line 12"),
        ("no https://x.org/a?b=1 today", "no s3://bucket/key today"),
        (r"no C:\a\b.txt", r"no C:\c.txt"),
        (
            "job b2d43cff-c8dd-4c0b-a353-df843be966bc is gone",
            "job 2dc37196-74b8-4e4e-9cb2-27c4cdd74c8b is gone",
        ),
        ("job 01HZX3Q6T9ABCDEFGHJKMNPQRS is gone", "job 01HZX3Q6T9ABCDEFGHJKMNPQRT is gone"),
        ("commit deadbee1", "commit 1f2e3d4"),
        ("<Image object at 0x7f01ab>", "<Image object at 0x55>"),
        ("waited 3.5 s of -1e-7", "waited 12 s of 4"),
        ("IMG_001 is broken", "IMG_23 is broken"),
        ('say "a \\" b"', 'say "c"'),
        ("two  words\nand 3", "two words and 4"),
    ],
)
def test_what_differs_from_task_to_task_is_left_out(one: str, other: str) -> None:
    assert fingerprint(failure(one)) == fingerprint(failure(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("can't read it", "can't write it"),
        ("Object missing required field `url`", "Object missing required field `file`"),
        ("Expected `int`, got `str` - at `$.width`", "Expected `int`, got `str` - at `$.height`"),
        ("data does not fit handler 'resize': it", "data does not fit handler 'crop': it"),
        ("", "3"),
    ],
)
def test_causes_stay_apart(one: str, other: str) -> None:
    assert fingerprint(failure(one)) != fingerprint(failure(other))


def test_quoted_names_of_the_code_are_causes_and_values_are_not() -> None:
    names = [failure(f"{name!r}", error="KeyError") for name in ("width", "height", "user-17", "user-18")]
    assert len({fingerprint(found) for found in names}) == 3
    own = [failure(f"{city!r}", error="KeyError", data={"city": city}) for city in ("Rome", "Oslo")]
    assert len({fingerprint(found) for found in own}) == 1


def test_own_id_and_values_are_left_out_where_they_are_words() -> None:
    one = failure("photo-a of Rome Romeo failed", "photo-a", data={"city": "Rome"})
    other = failure("photo-b of Oslo Romeo failed", "photo-b", data={"city": "Oslo"})
    assert fingerprint(one) == fingerprint(other) == "<value> of <value> Romeo failed"


@pytest.mark.parametrize("text", ["a-" * 512, "a/" * 512, "'\\" * 512, "1." * 512, '"' * 1024, "://" * 341])
def test_hostile_messages_have_one_too(text: str) -> None:
    assert fingerprint(failure(text, data={"a": text[:500], "b": "a-a"}))


def test_group_says_how_many_when_and_as_which() -> None:
    groups = Groups()
    for number, failed_at in enumerate([5.0, None, 3.0, 9.0]):
        groups.add(failure(f"no {number}", f"task-{number}", failed_at=failed_at))
    groups.add(failure("other words"))
    group, _ = groups.largest_first()
    assert (group.count, group.first_failed_at, group.last_failed_at) == (4, 3.0, 9.0)
    assert (group.example_id, group.example_message, group.example_origin) == ("task-0", "no 0", "a:task-0")


def test_ten_thousand_files_are_one_group() -> None:
    groups = Groups()
    for number in range(10_000):
        name = "".join(chr(97 + int(digit)) for digit in str(number))
        message = f"[Errno 2] No such file or directory: '{name}.jpg'"
        groups.add(failure(message, f"t{number}", error="FileNotFoundError"))
    assert [group.count for group in groups.largest_first()] == [10_000]


def words(number: int) -> str:
    return "".join(chr(97 + int(digit)) for digit in str(number))


def test_error_that_says_something_else_each_time_leaves_room_for_others() -> None:
    groups = Groups()
    for number in range(2000):
        groups.add(failure(words(number)))
    groups.add(failure("late", error="KeyError"))
    largest, *rest = groups.largest_first()
    assert (largest.error, largest.fingerprint, largest.count) == ("ValueError", None, 2000 - MAX_OF_AN_ERROR)
    assert len(rest) == MAX_OF_AN_ERROR + 1
    assert ("KeyError", "late") in {(group.error, group.fingerprint) for group in rest}


def test_number_of_groups_is_bounded_and_none_is_lost() -> None:
    groups = Groups()
    for number in range(3 * MAX_GROUPS):
        groups.add(failure("it", error=words(number)))
    found = groups.largest_first()
    assert len(found) == MAX_GROUPS + 1
    assert sum(group.count for group in found) == 3 * MAX_GROUPS
    assert (found[0].reason, found[0].error, found[0].fingerprint) == ("exhausted", "", None)
