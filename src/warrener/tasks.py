"""The records that travel: tasks, their history, results and failures, and how they are written down.

Everything is JSON. A task's body stays, byte for byte, as it was published; what happened to it travels
beside the body in one `Record`, so that a task in any language, valid or not, can be retried and inspected.
"""

from __future__ import annotations

import base64
import json
import time
from typing import Annotated, Any, Final, Literal

import msgspec

from warrener.errors import InvalidTask

DEFAULT_PRIORITY: Final = 5
HIGHEST_PRIORITY: Final = 9
MAX_NAME_BYTES: Final = 255  # AMQP short strings, which carry ids, end here
KEPT_ATTEMPTS: Final = 10
_WORKER_LOST: Final = "WorkerLost"
MAX_TRACEBACK: Final = 4096
MAX_MESSAGE: Final = 1024
# A record travels in a header, and AMQP wants all headers of a message in one frame of 131,072 bytes.
_MAX_RECORD: Final = 120_000
_MAX_TOLD: Final = 512
# What reading JSON from outside may raise: deep nesting ends in the last of them.
NOT_JSON: Final = (msgspec.DecodeError, UnicodeError, RecursionError)

# Whatever a header says, it cannot be so many, nor so late that no calendar has it.
_Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
_Time = Annotated[float, msgspec.Meta(ge=0, le=253_402_300_799)]
# So many levels of nesting are left to those who read something later: for what is around it, and their own calls.
_ROOM: Final = 200

Reason = Literal["permanent", "exhausted", "timed-out", "crashed", "invalid", "unknown-type"]


class Task(msgspec.Struct, frozen=True):
    """One piece of work.

    Args:
        id: Names the task for ever: one result row per id.
        type: Names the handler.
        data: The handler's arguments.
        priority: 0 to 9, higher first.
    """

    id: str
    type: str
    data: dict[str, Any] = {}
    priority: int = DEFAULT_PRIORITY


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """One delivery of a task to a handler that did not complete it.

    Args:
        number: 1 for the first attempt.
        error: The exception's type, or `TimedOut`, `Crashed`, `WorkerLost`.
        message: What the exception said, at most 1 KiB.
        worker: Host and process that ran it; empty where it vanished without a word.
        started_at: Seconds since the epoch.
        duration: Seconds.
        traceback: The last 4 KiB of it.
    """

    number: _Count
    error: str
    message: str = ""
    worker: str = ""
    started_at: _Time | None = None
    duration: float | None = None
    traceback: str = ""


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """What has happened to a task so far; it travels beside the task's body.

    Args:
        attempts: How many attempts there were since the task was published or replayed.
        lost: How many of them ended with their worker vanishing: these use up no retries.
        history: The last ten attempts, replays included.
        reason: Why the task failed for good; None while it has not.
        failed_at: When it did, in seconds since the epoch.
    """

    attempts: _Count = 0
    lost: _Count = 0
    history: tuple[Attempt, ...] = ()
    reason: Reason | None = None
    failed_at: _Time | None = None

    def add(self, attempt: Attempt) -> Record:
        """The record with one more failed attempt."""
        return msgspec.structs.replace(
            self, attempts=attempt.number, history=(*self.history, attempt)[-KEPT_ATTEMPTS:]
        )

    def add_lost(self, times: int) -> Record:
        """The record with attempts that vanished with their worker, as the broker counted them."""
        record = self
        for _ in range(times):
            record = record.add(
                Attempt(record.attempts + 1, _WORKER_LOST, "the worker or its connection vanished")
            )
        return msgspec.structs.replace(record, lost=self.lost + times)

    @property
    def was_lost_last(self) -> bool:
        """Whether nothing is known of this task since it vanished with a worker."""
        return bool(self.lost and self.history) and self.history[-1].error == _WORKER_LOST

    def fail(self, reason: Reason, failed_at: float | None = None) -> Record:
        """The record of a task that ends without a result, by default now."""
        return msgspec.structs.replace(self, reason=reason, failed_at=failed_at or time.time())

    def replay(self) -> Record:
        """The record of a failed task that begins anew: its history stays, its attempts do not count."""
        return Record(history=self.history)


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of the results.

    Args:
        task_id: The task's id.
        type: The task's type.
        value: What the handler returned, as JSON.
        attempts: The number of the attempt that completed.
        worker: Host and process that ran it.
        started_at: When that attempt began, in seconds since the epoch.
        processed_at: When it ended.
        duration: Seconds it took.
        history: The attempts that failed before, the last ten of them.
    """

    task_id: str
    type: str
    status: str
    value: msgspec.Raw
    attempts: int
    worker: str
    started_at: float
    processed_at: float
    duration: float
    history: tuple[Attempt, ...] = ()


class Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    """A task that ended without a result.

    Args:
        task_id: The task's id; one made up by Warrener where the message had none.
        type: The task's type, empty where it cannot be read.
        reason: Why it failed for good.
        error: The last attempt's error type.
        message: What that error said.
        attempts: How many attempts there were.
        failed_at: Seconds since the epoch.
        history: The last ten attempts.
        task: The task as published, where it is JSON.
        body_base64: The message as published, where it is not.
    """

    task_id: str
    type: str
    reason: Reason
    error: str
    message: str
    attempts: int
    failed_at: float | None
    history: tuple[Attempt, ...]
    task: Any = None
    body_base64: str | None = None


class Envelope(msgspec.Struct, frozen=True):
    """A task as a worker reads it: checked, its data not yet decoded."""

    type: str
    id: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")
    priority: Annotated[int, msgspec.Meta(ge=0, le=HIGHEST_PRIORITY)] | None = None


_encoder = msgspec.json.Encoder()
_envelopes = msgspec.json.Decoder(Envelope)
_records = msgspec.json.Decoder(Record)
_anything = msgspec.json.Decoder()
_raw = msgspec.json.Decoder(msgspec.Raw)
_BEGIN_OBJECT = ord("{")


def encode(value: Any) -> bytes:
    """Any of these records, or plain data, as one line of JSON."""
    return _encoder.encode(value)


def encode_task(task: Task) -> bytes:
    """A task as the body of a message.

    Raises:
        InvalidTask: It is not fit to be published; the text says which member is wrong.
    """
    try:
        return encode(check(task))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidTask(f"this cannot be written as JSON: {told(error)}") from error


def encode_record(record: Record) -> bytes:
    """A record as it travels: without its oldest attempts where all of them are too many for a header."""
    while len(header := encode(record)) > _MAX_RECORD and record.history:
        record = msgspec.structs.replace(record, history=record.history[1:])
    return header


def shown_json(lines: bytes) -> bytes:
    """The same JSON for a terminal: what would steer it is escaped, which readers of JSON take for the same text."""
    return "".join(
        c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in lines.decode("utf-8", "replace")
    ).encode()


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
        raise InvalidTask(f'"priority" must be a whole number from 0 to 9, not {_json_kind(task.priority)}')
    if not 0 <= task.priority <= HIGHEST_PRIORITY:
        raise InvalidTask(f'"priority" must be from 0 to 9, not {told(task.priority)}')
    return task


def decode_task(line: bytes | str, *, default_id: str = "", default_type: str = "") -> Task:
    """One task from a line of JSON.

    Args:
        line: A JSON object with `type`, and maybe `id`, `data` and `priority`.
        default_id: The id of a task that brings none.
        default_type: The type of a task that brings none.

    Raises:
        InvalidTask: The line is no JSON, no object, or a member is wrong.
    """
    try:
        members = _anything.decode(line)
    except NOT_JSON as error:
        raise InvalidTask(f"this is no JSON ({error})") from error
    if not isinstance(members, dict):
        raise InvalidTask("a task must be a JSON object")
    if unknown := members.keys() - {"id", "type", "data", "priority"}:
        names = told(", ".join(sorted(repr(name) for name in unknown)))
        raise InvalidTask(f"unknown member {names}; arguments of the handler belong into 'data'")
    task_type = members.get("type", default_type)
    if not task_type and "type" not in members:
        raise InvalidTask('"type" is missing')
    return check(
        Task(
            id=members.get("id", default_id),
            type=task_type,
            data=members.get("data", {}),
            priority=members.get("priority", DEFAULT_PRIORITY),
        )
    )


def open_envelope(body: bytes, message_id: str, priority: int | None) -> Envelope:
    """A delivered message as a task.

    What the body leaves out, the message's own properties give: `message_id` and `priority`.

    Raises:
        InvalidTask: The body is no valid task.
    """
    try:
        envelope = _envelopes.decode(body)
    except NOT_JSON as error:
        raise InvalidTask(str(error)) from error
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
        task = msgspec.structs.replace(
            envelope, id=envelope.id or message_id, priority=min(max(priority, 0), HIGHEST_PRIORITY)
        )
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
    return msgspec.structs.replace(record, history=record.history[-KEPT_ATTEMPTS:])


def failure(body: bytes, message_id: str, record: Record) -> Failure:
    """A failed message as people read it."""
    task, raw = _readable(body)
    members = task if isinstance(task, dict) else {}
    last = record.history[-1] if record.history else Attempt(0, "")
    return Failure(
        task_id=_own_id(members) or message_id,
        type=_own_type(members),
        reason=record.reason or "permanent",
        error=last.error,
        message=last.message,
        attempts=record.attempts,
        failed_at=record.failed_at,
        history=record.history,
        task=task,
        body_base64=raw,
    )


def _own_id(members: dict[str, Any]) -> str:
    try:
        _check_name("id", members.get("id"))
    except InvalidTask:
        return ""
    return str(members["id"])


def _own_type(members: dict[str, Any]) -> str:
    found = members.get("type")
    return found if isinstance(found, str) else ""


def told(words: object) -> str:
    """What others say, fit for one of our sentences: one line of bounded length."""
    return cut(" ".join(str(words)[:_MAX_TOLD].split()), _MAX_TOLD)


def nests_too_deep(body: bytes) -> bool:
    """Whether JSON nests so deep that a reader of it might not get to its bottom."""
    if body.count(b"[") + body.count(b"{") <= _ROOM:
        return False
    try:
        _raw.decode(b"[" * _ROOM + body + b"]" * _ROOM)
    except RecursionError:
        return True
    return False


def cut(text: str, limit: int, *, keep_end: bool = False) -> str:
    """Text fit for a message header: of bounded size, and without control characters.

    Bounded, because an AMQP header must fit into one frame; without control characters, because JSON writes
    each as six, and terminals obey them.
    """
    text = text[-limit:] if keep_end else text[:limit]  # no character has less than a byte
    clean = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    data = clean.encode("utf-8", "replace")
    if len(data) <= limit:
        return data.decode()
    part = data[-limit:] if keep_end else data[:limit]
    return part.decode("utf-8", "ignore")


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
        raise InvalidTask(f'"{member}" is missing' if member == "id" else f'"{member}" is empty')
    try:
        size = len(name.encode())
    except UnicodeEncodeError as error:
        raise InvalidTask(f'"{member}" is no valid Unicode') from error
    if size > MAX_NAME_BYTES:
        raise InvalidTask(f'"{member}" has {size} bytes; {MAX_NAME_BYTES} are allowed')


def _json_kind(value: object) -> str:
    kinds = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)
