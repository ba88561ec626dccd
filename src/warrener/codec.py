"""How tasks, records, results and failures are written down and read: everything is JSON."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
from msgspec.structs import replace

from warrener.errors import InvalidTask
from warrener.models import (
    DEFAULT_PRIORITY,
    HIGHEST_PRIORITY,
    KEPT_ATTEMPTS,
    MAX_NAME_BYTES,
    Attempt,
    Envelope,
    Failure,
    Record,
    Task,
)
from warrener.text import sanitize
from warrener.values.depth import nests_too_deep
from warrener.values.simpler import Unwritable
from warrener.values.strict_json import RepeatedKey, decode_once, why_not
from warrener.values.writing import written

if TYPE_CHECKING:
    from collections.abc import Callable

# A record travels in a header, and AMQP wants all headers of a message in one frame of 131,072 bytes.
_MAX_RECORD: Final = 120_000
# What reading JSON from outside may raise: deep nesting ends in the last of them.
NOT_JSON: Final = (msgspec.DecodeError, UnicodeError, RecursionError)


_encoder = msgspec.json.Encoder()
_envelopes = msgspec.json.Decoder(Envelope)
_records = msgspec.json.Decoder(Record)
_BEGIN_OBJECT = ord("{")
_GZIP: Final = b"\x1f\x8b"
_IS_PACKED: Final = "it is packed with gzip; tasks are plain JSON"
_NO_ID: Final = "-"  # for as long as the rest is checked

Identify: TypeAlias = "Callable[[str, dict[str, Any]], str]"


def encode(value: Any) -> bytes:
    """Any of these records, or plain data, as one line of JSON."""
    return _encoder.encode(value)


def encode_task(task: Task) -> bytes:
    """A task as the body of a message.

    Raises:
        InvalidTask: It is not fit to be published; the text says which member is wrong.
    """
    try:
        check(task)
        data = msgspec.Raw(written(task.data, with_nan=False))
        members = {"id": task.id, "type": task.type, "data": data, "priority": task.priority}
        if task.origin:
            members["origin"] = task.origin
        if task.wording:
            members["wording"] = task.wording
        return encode(members)
    except Unwritable as error:
        raise InvalidTask(f"its data cannot be written as JSON: {sanitize(error)}") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidTask(f"this cannot be written as JSON: {sanitize(error)}") from error


def encode_record(record: Record) -> bytes:
    """A record as it travels: without its oldest attempts where all of them are too many for a header."""
    while len(header := encode(record)) > _MAX_RECORD and record.history:
        record = replace(record, history=record.history[1:])
    return header


def check(task: Task) -> Task:
    """The task itself, if it is fit to be published.

    Raises:
        InvalidTask: Says which member is wrong.
    """
    _check_name("id", task.id)
    _check_name("type", task.type)
    if not isinstance(task.data, dict):
        raise InvalidTask(f'"data" must be an object, not {_json_kind(task.data)}')
    if not isinstance(task.priority, int) or isinstance(task.priority, bool):
        given = task.priority if isinstance(task.priority, float) else _json_kind(task.priority)
        raise InvalidTask(f'"priority" must be a whole number from 0 to 9, not {given}')
    if not 0 <= task.priority <= HIGHEST_PRIORITY:
        raise InvalidTask(f'"priority" must be from 0 to 9, not {sanitize(task.priority)}')
    return task


def decode_task(line: bytes, *, default_type: str = "", identify: Identify | None = None) -> Task:
    """One task from a line of JSON.

    Args:
        line: A JSON object with `type`, and maybe `id`, `data` and `priority`.
        default_type: The type of a task that brings none.
        identify: Makes the id of a task that brings none, from its type and data.

    Raises:
        InvalidTask: The line is no JSON, no object, has a member twice, or one is wrong.
    """
    try:
        members = decode_once(line)
    except RepeatedKey as error:
        raise InvalidTask(str(error)) from error
    except NOT_JSON as error:
        raise InvalidTask(f"this is no JSON ({why_not(error, line)})") from error
    if nests_too_deep(line):  # as whoever is to publish it would find
        raise InvalidTask("it nests too deep")
    if not isinstance(members, dict):
        raise InvalidTask("a task must be a JSON object")
    if unknown := members.keys() - {"id", "type", "data", "priority"}:
        names = sanitize(", ".join(sorted(repr(name) for name in unknown)))
        raise InvalidTask(f"unknown member {names}; arguments of the handler belong into 'data'")
    task_type = members.get("type", default_type)
    if not task_type and "type" not in members:
        raise InvalidTask('"type" is missing')
    has_none = "id" not in members
    if has_none and identify is None:
        raise InvalidTask('"id" is missing')
    task = check(
        Task(
            id=_NO_ID if has_none else members.get("id", ""),
            type=task_type,
            data=members.get("data", {}),
            priority=members.get("priority", DEFAULT_PRIORITY),
        )
    )
    return replace(task, id=identify(task.type, task.data)) if identify and has_none else task


def open_envelope(body: bytes, message_id: str, priority: int | None) -> Envelope:
    """A delivered message as a task.

    What the body leaves out, the message's own properties give: `message_id` and `priority`.

    Raises:
        InvalidTask: The body is no valid task.
    """
    try:
        envelope = _envelopes.decode(body)
    except NOT_JSON as error:
        is_packed = body.startswith(_GZIP)
        raise InvalidTask(_IS_PACKED if is_packed else why_not(error, body)) from error
    if len(envelope.type) > MAX_NAME_BYTES // 4:
        _check_name("type", envelope.type)
    if nests_too_deep(body):
        raise InvalidTask("it nests too deep")
    if envelope.id and envelope.priority is not None and len(envelope.id) < MAX_NAME_BYTES // 4:
        task = envelope
    else:
        if envelope.priority is not None:
            priority = envelope.priority
        elif priority is None:
            priority = DEFAULT_PRIORITY
        task = replace(
            envelope, id=envelope.id or message_id, priority=min(max(priority, 0), HIGHEST_PRIORITY)
        )
        if not task.id:
            raise InvalidTask('"id" is missing')
        _check_name("id", task.id)
    if not task.type:
        raise InvalidTask('"type" is empty')
    if bytes(task.data)[0] != _BEGIN_OBJECT:
        raise InvalidTask('"data" must be an object')
    return task


def decode_record(header: bytes | str | None) -> Record:
    """The record that travelled with a task; an empty one where there is none or it is not ours."""
    if not header:
        return Record()
    try:
        record = _records.decode(header)
    except NOT_JSON:
        return Record()
    if record.lost > record.attempts:
        return Record()
    if len(record.history) > KEPT_ATTEMPTS:
        return replace(record, history=record.history[-KEPT_ATTEMPTS:])
    return record


def decode_failure(body: bytes, message_id: str, record: Record) -> Failure:
    """A failed message as people read it."""
    task, raw = _readable(body)
    members = task if isinstance(task, dict) else {}
    last = record.history[-1] if record.history else Attempt(0, "")
    return Failure(
        task_id=_own_id(members) or message_id,
        type=_text_of(members, "type"),
        reason=record.reason or "permanent",
        error=last.error,
        message=last.message,
        attempts=record.attempts,
        failed_at=record.failed_at,
        history=record.history,
        task=task,
        body_base64=raw,
        origin=_text_of(members, "origin"),
        wording=_text_of(members, "wording"),
    )


def _own_id(members: dict[str, Any]) -> str:
    try:
        _check_name("id", members.get("id"))
    except InvalidTask:
        return ""
    return str(members["id"])


def _text_of(members: dict[str, Any], name: str) -> str:
    found = members.get(name)
    return found if isinstance(found, str) else ""


def _readable(body: bytes) -> tuple[Any, str | None]:
    try:
        if not nests_too_deep(body):
            return msgspec.json.decode(body), None
    except NOT_JSON:
        pass
    return None, base64.b64encode(body).decode()


def _check_name(member: str, name: object) -> None:
    if isinstance(name, str) and name.isascii() and 0 < len(name) <= MAX_NAME_BYTES:
        return
    if not isinstance(name, str):
        raise InvalidTask(f'"{member}" must be a string, not {_json_kind(name)}')
    if not name:
        raise InvalidTask(f'"{member}" is empty')
    try:
        size = len(name.encode())
    except UnicodeEncodeError as error:
        raise InvalidTask(f'"{member}" is no valid Unicode') from error
    if size > MAX_NAME_BYTES:
        raise InvalidTask(f'"{member}" has {size} bytes; {MAX_NAME_BYTES} are allowed')


def _json_kind(value: object) -> str:
    kinds = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)
