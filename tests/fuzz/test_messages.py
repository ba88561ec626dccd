"""Message bodies: each one is a task, or is refused in one sentence."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.strategies import ODD_JSON, bodies, fragments, is_sentence, texts, values
from warrener.brokers import FailedTask
from warrener.codec import decode_failure, decode_task, encode, encode_task, open_envelope
from warrener.errors import InvalidTask, UsageError
from warrener.failures.taking import _changed
from warrener.handler import Handler
from warrener.models import MAX_NAME_BYTES, Record, Task
from warrener.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

DEEP = b'{"type": "t", "id": "i", "data": {"a": ' + b"[" * 5000 + b"]" * 5000 + b"}}"
LONG_TYPE = b'{"type": "' + b"t" * 100_000 + b'", "id": "i", "priority": 1}'
UNKNOWN_MEMBER = b'{"type": "t", "' + b"x" * 100_000 + b'": 1}'
OVER_NINE = b'{"type": "t", "priority": 1' + b"0" * 4000 + b"}"
CONTROLS = b'{"type": "t", "\\u001b[2J": 1, "priority": "\\n"}'
TOO_LARGE = b'{"type": "t", "id": "i", "data": {"a": 1e999}}'


def take(number: int = 0, choice: Literal["a", "b"] = "a") -> None: ...
def take_all(number: int = 0, **rest: Any) -> None: ...
def take_task(task: Task) -> None: ...


HANDLERS = [Handler(f.__name__, f, policy=RetryPolicy()) for f in (take, take_all, take_task)]


@given(bodies, texts, st.none() | st.integers())
@example(DEEP, "", None)
@example(LONG_TYPE, "", None)
@example(b'{"type": "t"}', "i", -5)
def test_body_is_a_task_or_refused_in_one_sentence(
    body: bytes, message_id: str, priority: int | None
) -> None:
    _check_body(body, message_id, priority)


@given(bodies, texts)
@example(DEEP, "t")
@example(UNKNOWN_MEMBER, "t")
@example(OVER_NINE, "t")
@example(CONTROLS, "t")
def test_line_is_a_task_that_can_be_published_or_refused_in_one_sentence(line: bytes, task_type: str) -> None:
    _check_line(line, task_type)


def test_number_that_json_cannot_hold_is_not_called_a_wrong_kind_of_task() -> None:
    with pytest.raises(InvalidTask, match="out of range"):
        decode_task(TOO_LARGE)


@given(fragments)
@example('{"\\n": 1}')
@example('{"' + "x" * 100_000 + '": 1}')
@example('{"choice": "' + "x" * 100_000 + '"}')
@example('{"b": ' + "[" * 5000 + "]" * 5000 + "}")
def test_data_is_bound_or_refused_in_one_sentence(data: str) -> None:
    for handler in HANDLERS:
        _taken(partial(handler.bind, "i", "t", 5, data.encode("utf-8", "surrogatepass")))


@given(st.builds(Task, values, values, values, values) | st.builds(Task, st.just("i"), st.just("t"), values))
@example(Task("i", "t", {"a": "\ud800"}))
@example(Task("i", "t", {"a": object()}))
def test_task_of_a_script_is_published_or_refused_in_one_sentence(task: Task) -> None:
    body = _taken(lambda: encode_task(task))
    if body:
        assert open_envelope(body, "", None).id == task.id


def test_priority_of_a_script_too_long_to_be_written_is_refused() -> None:
    assert _taken(lambda: encode_task(Task("i", "t", {}, 10**5000))) is None


@given(bodies, texts)
@example(DEEP, "m")
@example(b'{"type": ["t"]}', "m")
def test_failure_of_any_body_can_be_shown_and_patched(body: bytes, message_id: str) -> None:
    _check_failure(body, message_id)


@pytest.mark.parametrize("odd", ODD_JSON, ids=lambda odd: odd[:10])
@pytest.mark.parametrize("member", ["id", "type", "data", "priority", "other"])
def test_each_member_may_be_odd(member: str, odd: str) -> None:
    text = ", ".join(
        [f'"{name}": {fit}' for name, fit in (("id", '"i"'), ("type", '"t"')) if name != member]
        + [f'"{member}": {odd}']
    )
    body = f"{{{text}}}".encode()
    _check_body(body, "m", 5)
    _check_line(body, "t")
    _check_failure(body, "m")


def _check_body(body: bytes, message_id: str, priority: int | None) -> None:
    task = _taken(lambda: open_envelope(body, message_id, priority))
    if task is None:
        return
    assert 0 < len(task.id.encode()) <= MAX_NAME_BYTES
    assert 0 < len(task.type.encode()) <= MAX_NAME_BYTES
    assert task.priority in range(10)
    for handler in HANDLERS:
        _taken(partial(handler.bind, task.id, task.type, task.priority, bytes(task.data)))


def _check_line(line: bytes, task_type: str) -> None:
    task = _taken(lambda: decode_task(line, identify=lambda *_: "an id", default_type=task_type))
    if task:
        body = encode_task(task)
        envelope = open_envelope(body, "", None)
        assert (envelope.id, envelope.type, envelope.priority) == (task.id, task.type, task.priority)
        assert decode_task(body) == task


def _check_failure(body: bytes, message_id: str) -> None:
    found = decode_failure(body, message_id, Record())
    own = found.task.get("type") if isinstance(found.task, dict) else None
    assert found.type == (own if isinstance(own, str) else "")
    if not any("\ud800" <= character <= "\udfff" for character in message_id):
        assert json.loads(encode(found))["type"] == found.type
    try:
        patched = _changed(FailedTask(body, message_id, 5, Record()), {"a": 1}, None)
    except UsageError as error:
        assert is_sentence(str(error))
    else:
        assert json.loads(patched)["data"]["a"] == 1


def _taken(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except InvalidTask as error:
        assert is_sentence(str(error)), str(error)[:300]
        return None
