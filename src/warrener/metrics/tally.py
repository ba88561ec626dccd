"""What a worker counts of its tasks: it listens to the announcement of every outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from warrener.brokers import Failed
from warrener.metrics.histogram import Histogram
from warrener.metrics.names import CONFIRM, DURATION, FAILURES, OTHER_TYPE, TASKS, WAIT
from warrener.metrics.samples import Sample
from warrener.models import Reason
from warrener.worker.events import KINDS, settled
from warrener.worker.manifest import ANY_TYPE
from warrener.worker.waiting import ready_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warrener.brokers import Delivery, Outcome


class _OfType:
    """The numbers of one type."""

    __slots__ = ("duration", "outcomes")

    def __init__(self) -> None:
        self.outcomes = dict.fromkeys(KINDS.values(), 0)
        self.duration = Histogram(DURATION.buckets)


class Tally:
    """What a worker has counted since it began. Nothing in it grows with tasks, ids or what producers write.

    Args:
        queue: The queue's name.
    """

    def __init__(self, queue: str) -> None:
        self.confirm = Histogram(CONFIRM.buckets)
        self._queue = queue
        self._types: dict[str, _OfType] = {}
        self._other = self._types[OTHER_TYPE] = _OfType()
        self._reasons: dict[str, int] = dict.fromkeys(get_args(Reason), 0)
        self._wait = Histogram(WAIT.buckets)

    def know(self, types: Iterable[str]) -> None:
        """Count these types apart from each other; before the first outcome."""
        for name in types:
            self._types.setdefault(name, _OfType())
        if ANY_TYPE in self._types:  # which has those that no other handler has
            self._other = self._types[ANY_TYPE]
            del self._types[OTHER_TYPE]

    def on_settled(self, delivery: Delivery, outcome: Outcome) -> None:
        """Count an outcome; as `OnSettled`."""
        event = settled(delivery, outcome)
        of_type = self._types.get(event.type, self._other)
        of_type.outcomes[event.outcome] += 1
        if isinstance(outcome, Failed) and outcome.record.reason:
            self._reasons[outcome.record.reason] += 1
        if event.duration is None:
            return  # no handler had it, or nobody knows for how long
        of_type.duration.add(event.duration)
        if event.started_at is not None and (ready := ready_at(delivery)) is not None:
            self._wait.add(max(0.0, event.started_at - ready))

    def samples(self) -> list[Sample]:
        """All of it as it is now."""
        found = [
            Sample(TASKS, (self._queue, name, outcome), count)
            for name, of_type in self._types.items()
            for outcome, count in of_type.outcomes.items()
        ]
        found += [Sample(FAILURES, (self._queue, reason), count) for reason, count in self._reasons.items()]
        found += [
            Sample(DURATION, (self._queue, name), of_type.duration.copy)
            for name, of_type in self._types.items()
            if of_type.duration.sum  # each has many lines
        ]
        found.append(Sample(WAIT, (self._queue,), self._wait.copy))
        found.append(Sample(CONFIRM, (self._queue,), self.confirm.copy))
        return found
