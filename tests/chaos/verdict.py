"""What became of a batch, counted: the rows of the table."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from tests.chaos.trial import APP, PROCESSES
from warrener.brokers import connect
from warrener.failures import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.chaos.trial import Event, Trial
    from warrener.models import Failure


@dataclass
class Row:
    """One line of the table: all but the first four and the last must be 0."""

    fault: str
    broker: str
    times: int = 0
    tasks: int = 0
    lost: int = 0
    duplicates: int = 0
    wrong_attempts: int = 0
    stuck: int = 0
    recovered: list[float] = field(default_factory=list)
    broken: str = ""
    """What went wrong besides, in words."""

    @property
    def is_good(self) -> bool:
        """Whether all is as promised."""
        return not (self.lost or self.duplicates or self.wrong_attempts or self.stuck or self.broken)

    def cells(self) -> list[str]:
        """As the table shows it."""
        numbers = (self.times, self.tasks, self.lost, self.duplicates, self.wrong_attempts, self.stuck)
        recovered = (
            [f"{statistics.median(self.recovered):.1f}", f"{max(self.recovered):.1f}"]
            if self.recovered
            else ["-", "-"]
        )
        return [self.fault, self.broker, *(f"{number:,}" for number in numbers), *recovered]


async def judge(trial: Trial, row: Row, costs: Mapping[str, int], *, is_free: bool) -> None:
    """Let what is left be done in peace, then count.

    Args:
        trial: What was struck.
        row: Where the counts go.
        costs: What the faults may have added to histories: at most so many attempts of each error, in all; and, as `UNTOLD`,
            how many attempts they may lack, lost with connections that others lost, too.
        is_free: Whether tasks may have begun again at no cost, since they were requeued.
    """
    row.tasks = len(trial.tasks)
    last = trial.place.begin("work", APP, "--drain", "--processes", str(PROCESSES))
    try:
        code = await asyncio.to_thread(last.process.wait, _STUCK_AFTER)
        assert code == 0, f"the last worker ended with {code}: {last.said}"
    except subprocess.TimeoutExpired:
        row.stuck = await trial.left()
    said = await asyncio.to_thread(trial.place.warrener, "results", "-o", "out.jsonl")
    assert said.returncode in (0, 1), said.stderr
    collected = trial.place.rows("out.jsonl")
    async with connect(trial.address) as broker:
        raw = [msgspec.json.decode(line) async for lines in broker.results() for line in lines]
        failed = {found.task_id: found async for found in read(broker)}
    row.lost, row.duplicates = _lost_and_twice(trial.tasks, collected, failed)
    wrong = _wrong_attempts(trial, raw, failed, costs, is_free=is_free)
    row.wrong_attempts = len(wrong)
    row.broken = "\n".join(wrong[:_SHOWN])
    events = trial.events()
    row.recovered = [
        seconds for strike in trial.strikes if (seconds := recovery(events, *strike)) is not None
    ]
    row.times = len(row.recovered)  # a strike after which nothing was left to do has broken nothing
    if trial.strikes and not row.times:
        row.broken += "all was done before anything was broken"


def _lost_and_twice(
    tasks: Iterable[dict[str, Any]], collected: list[dict[str, Any]], failed: Mapping[str, Failure]
) -> tuple[int, int]:
    """Tasks without the end that they must have, and rows or failures beyond one for each task."""
    values = {row["task_id"]: row["value"] for row in collected}
    lost = 0
    for task in tasks:
        task_id, n = task["id"], task["data"]["n"]
        if reason := MUST_FAIL.get(task["type"]):
            lost += task_id not in failed or failed[task_id].reason != reason
        else:
            lost += task_id not in values or values[task_id] != n * n
    return lost, len(collected) - len(values) + len(values.keys() & failed)


UNTOLD = "an attempt left out"
_SHOWN = 5
_STUCK_AFTER = 600.0  # seconds; what is left then goes on no more
MUST_FAIL = {"hopeless": "permanent", "kills_child": "crashed", "kills_worker": "crashed"}
_OWN_ERRORS = {
    "flaky": "ValueError",
    "hopeless": "PermanentError",
    "kills_child": "Crashed",
    "kills_worker": "WorkerLost",
}


def _wrong_attempts(
    trial: Trial,
    raw: list[dict[str, Any]],
    failed: Mapping[str, Failure],
    costs: Mapping[str, int],
    *,
    is_free: bool,
) -> list[str]:
    """Tasks whose number of attempts, or whose history, is not what happened to them, one in a line."""
    types = {task["id"]: task["type"] for task in trial.tasks}
    # Of each end, duplicates too: how many attempts came before it, and what their histories say.
    ends = [
        (row["task_id"], row["attempts"], 1, [past["error"] for past in row.get("history", [])])
        for row in raw
    ]
    ends += [
        (found.task_id, found.attempts, 0, [past.error for past in found.history])
        for found in failed.values()
    ]
    cost: Counter[str] = Counter()
    told: Counter[str] = Counter()
    wrong = []
    for task_id, attempts, good, errors in ends:
        own = _OWN_ERRORS.get(types[task_id])
        strange = [error for error in errors if error != own]
        cost.update(strange)
        told[task_id] += attempts
        # A failure that is not noted is one whose worker died before it could.
        is_noted = own is None or own in errors or is_free or bool(strange) or UNTOLD in costs
        if attempts - good != len(errors) or not is_noted or any(error not in costs for error in strange):
            wrong.append(f"{task_id}: {attempts} attempts, history {errors}")
    if not is_free:
        begun = Counter(event.task_id for event in trial.events() if event.word == "begin")
        untold = {task_id: times - told[task_id] for task_id, times in begun.items() if times > told[task_id]}
        if UNTOLD in costs:
            cost[UNTOLD] = sum(untold.values())
        else:
            wrong += [
                f"{task_id}: began {begun[task_id]} times, {told[task_id]} attempts are told of"
                for task_id in untold
            ]
    wrong += [
        f"{cost[error]} times {error}, {most} at most" for error, most in costs.items() if cost[error] > most
    ]
    return wrong


def recovery(events: list[Event], begin: float, end: float) -> float | None:
    """Seconds from a strike until all that it interrupted has ended, and something new has begun after it.

    None if there was nothing of either.
    """
    under_way: set[str] = set()
    for event in events:
        if event.time >= begin:
            break
        (under_way.add if event.word == "begin" else under_way.discard)(event.task_id)
    # The last time that each has ended: a child whose worker was killed may come to an end that nobody hears of.
    last = {
        event.task_id: event.time for event in events if event.word == "end" and event.task_id in under_way
    }
    new = next((event.time for event in events if event.time >= end and event.word == "begin"), None)
    moments = [*last.values(), *([] if new is None else [new])]
    return max(moments) - begin if moments else None
