"""The worker's log: what it does, in lines for people or for programs."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import asdict

from warrener.brokers import Failed
from warrener.cli.printing import PlainFormatter, counted
from warrener.stderr import stderr
from warrener.worker.events import settled
from warrener.worker.printer import json_line

if TYPE_CHECKING:
    from warrener.address import Address
    from warrener.brokers import Delivery, Outcome
    from warrener.exit_codes import Exit
    from warrener.worker.events import Settled
    from warrener.worker.manifest import AppManifest
    from warrener.worker.supervisor import Supervisor

_COUNT_EVERY_SECONDS: Final = 60.0
_SHOWN_TYPES: Final = 10
_log = logging.getLogger("warrener.worker")


def log_to_stderr(*, as_json: bool) -> None:
    """Have all that is logged written to stderr, in one line of succession with what tasks print there."""
    stderr().as_json = as_json
    log = _Log()
    log.setFormatter(_JsonFormatter() if as_json else PlainFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[log], level=logging.INFO)
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # what it logs is raised, and said once


class WorkerLog:
    """What one worker does: a line at its start and its end, one for each task that failed, and counts now and then.

    Args:
        address: The queue.
        is_verbose: A line for each attempt, too.
    """

    def __init__(self, address: Address, *, is_verbose: bool = False) -> None:
        self._queue = f"{address.queue!r} on {address.shown}"
        self._is_verbose = is_verbose
        self._began = time.monotonic()
        self._said: dict[str, int] = {}

    def on_settled(self, delivery: Delivery, outcome: Outcome) -> None:
        """A task was settled; as `OnSettled`."""
        if isinstance(outcome, Failed) or self._is_verbose:
            event = settled(delivery, outcome)
            level = logging.WARNING if event.outcome == "failed" else logging.INFO
            _log.log(level, "%s", _told(event), extra={"event": event})

    def begin(self, manifest: AppManifest, slots: int) -> None:
        """It can take tasks from now on."""
        types = sorted(manifest.handlers)
        names = ", ".join(types[:_SHOWN_TYPES]) + (", ..." if len(types) > _SHOWN_TYPES else "")
        _log.info(
            "takes tasks of queue %s, %d at a time%s",
            self._queue,
            slots,
            f"; types: {names}" if names else "",
        )

    async def keep_counting(self, supervisor: Supervisor) -> None:
        """Say now and then how many tasks have ended, for ever."""
        while True:
            await asyncio.sleep(_COUNT_EVERY_SECONDS)
            if supervisor.settled != self._said or supervisor.held:
                self._said = dict(supervisor.settled)
                _log.info("%s so far; %s in hand", _counts(self._said), f"{supervisor.held:,}")

    def end(self, supervisor: Supervisor, code: Exit) -> None:
        """It takes no more."""
        why = "drained" if code == 0 else "stopped"
        _log.info("%s after %.1f s: %s", why, time.monotonic() - self._began, _counts(supervisor.settled))


def _counts(settled: dict[str, int]) -> str:
    return (
        f"{counted(settled['completed'], 'task')} completed, "
        f"{settled['delayed']:,} tried again, {settled['failed']:,} failed"
    )


def _told(event: Settled) -> str:
    kind = f" ({event.type})" if event.type else ""
    said = f"{event.error}: {event.message}" if event.message else event.error
    if event.outcome == "failed":
        after = f" after {counted(event.attempt, 'attempt')}" if event.attempt else ""
        return f"task {event.task_id!r}{kind} failed{after}, {event.reason}: {said}"
    took = "" if event.duration is None else f" in {event.duration:.3f} s"
    where = f" by {event.worker}" if event.worker else ""
    attempt = f"attempt {event.attempt}{where}{took}"
    if event.outcome == "delayed":
        return (
            f"task {event.task_id!r}{kind} failed, {attempt}, and comes again after {event.delay:g} s: {said}"
        )
    return f"task {event.task_id!r}{kind} completed, {attempt}"


class _Log(logging.Handler):
    """Writes to stderr. While nobody takes what is there it leaves lines out, and says how many: a worker may not grow for them."""

    def __init__(self) -> None:
        super().__init__()
        self._left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Have a line written."""
        if stderr().is_behind:
            self._left_out += 1
            return
        if self._left_out:
            said = f"{counted(self._left_out, 'line')} left out here: nobody took what came before"
            self._left_out = 0
            _log.warning("%s", said)
        stderr().put(f"{self.format(record)}\n".encode("utf-8", "replace"))

    def flush(self) -> None:
        """Wait until all is written, unless nothing is taken for a second."""
        stderr().flush()


class _JsonFormatter(logging.Formatter):
    """A JSON object for each record; what is known of a task are members of it."""

    def format(self, record: logging.LogRecord) -> str:
        """One record."""
        members: dict[str, Any] = {}
        if event := getattr(record, "event", None):
            known = asdict(event)
            known["error_message"] = known.pop("message")
            members |= {name: value for name, value in known.items() if value not in (None, "")}
        if record.exc_info:
            members["traceback"] = self.formatException(record.exc_info)
        return json_line(record.created, record.levelname, record.getMessage(), members).decode()
