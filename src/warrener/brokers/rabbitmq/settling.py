"""Outcomes on their way: each is published, alone or in a pack, until it is confirmed."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from warrener.brokers.protocol import Completed, Delivery, Outcome
from warrener.brokers.rabbitmq.confirms import Refused
from warrener.brokers.rabbitmq.packing import LARGEST, Packing, pack
from warrener.brokers.rabbitmq.topology import PACKED_KEY, outcome_message
from warrener.errors import BrokerError, QueueMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warrener.brokers.confirm_times import ConfirmTimes
    from warrener.brokers.names import Names
    from warrener.brokers.rabbitmq.confirms import ConfirmTracker

_Settled = tuple[Delivery, Outcome]

_log = logging.getLogger("warrener.worker")

# Seconds: until a refused outcome is published again, and that a queue which is missing may take to be made anew.
_PAUSE: Final = 0.5
_MADE_WITHIN: Final = 5.0
# Seconds until packs are tried again, where there was no stream for them: somebody may have been purging the queue.
_PACK_AGAIN_AFTER: Final = 30.0


class Settling:
    """What is published and not confirmed.

    Args:
        names: Of the queue that the outcomes are of.
        on_confirmed: Told of deliveries whose outcomes the broker has.
        give_up: Told of an error that no new connection mends.
        confirm_times: Measures how long confirms take.
    """

    def __init__(
        self,
        names: Names,
        on_confirmed: Callable[[Sequence[Delivery]], None],
        give_up: Callable[[BrokerError], None],
        confirm_times: ConfirmTimes | None,
    ) -> None:
        self._names = names
        self._on_confirmed = on_confirmed
        self._give_up = give_up
        self._confirm_times = confirm_times
        self._tracker: ConfirmTracker | None = None
        self._outcomes: dict[int, _Settled] = {}  # by the delivery's tag
        self._packing = Packing[_Settled](self._publish_rows)
        self._packs_from = 0.0  # by the loop's clock
        self._is_refused = False
        self._missing_since: float | None = None

    def attach(self, tracker: ConfirmTracker) -> None:
        """Publish over this channel."""
        self._tracker = tracker

    def detach(self) -> Sequence[_Settled]:
        """The channel is gone; what was on its way, which is forgotten."""
        self._tracker = None
        self._packing.clear()
        if self._confirm_times:
            self._confirm_times.forget()
        lost, self._outcomes = [*self._outcomes.values()], {}
        return lost

    def __len__(self) -> int:
        return len(self._outcomes)

    def __contains__(self, tag: int) -> bool:
        return tag in self._outcomes

    def add(self, delivery: Delivery, outcome: Outcome, held: int) -> None:
        """Publish what a delivery has come to.

        Args:
            delivery: What was held.
            outcome: What it has come to.
            held: How many are held, those among them whose outcomes are on their way.
        """
        settled = self._outcomes[delivery.tag] = delivery, outcome
        if self._confirm_times:
            self._confirm_times.begin(delivery.tag)
        if isinstance(outcome, Completed) and len(outcome.body) <= LARGEST:
            self._packing.add(settled, held - len(self._outcomes))
        else:
            self._publish(settled)
            if len(self._outcomes) == held:
                self._packing.flush()

    def _is_on_its_way(self, delivery: Delivery) -> bool:
        """Whether it is still to be settled, and was not lost with its channel; another one may have its tag by now."""
        found = self._outcomes.get(delivery.tag)
        return found is not None and found[0] is delivery

    def _publish(self, settled: _Settled) -> None:
        delivery, outcome = settled
        if self._tracker is None or not self._is_on_its_way(delivery):
            return
        key, body, record = outcome_message(delivery, outcome)
        self._tracker.publish(
            self._names.outcomes,
            key,
            body,
            message_id=delivery.id or delivery.name,
            priority=delivery.priority,
            record=record,
            published_at=delivery.published_at if record else None,
            trace=delivery.trace if record else "",
            then=self._on_outcome,
            about=settled,
        )

    def _publish_rows(self, rows: Sequence[_Settled]) -> None:
        bodies = [outcome.body for _, outcome in rows if isinstance(outcome, Completed)]
        body = pack(bodies) if asyncio.get_running_loop().time() >= self._packs_from else None
        if body is None:
            for row in rows:
                self._publish(row)
        elif self._tracker:
            self._tracker.publish(
                self._names.outcomes,
                PACKED_KEY,
                body,
                message_id=uuid4().hex,
                priority=None,
                record=None,
                is_packed=True,
                then=self._on_pack,
                about=rows,
            )

    def _publish_left(self, rows: Sequence[_Settled]) -> None:
        """Publish those of these rows that were not lost with their channel meanwhile."""
        self._publish_rows([row for row in rows if self._is_on_its_way(row[0])])

    def _on_pack(self, rows: Sequence[_Settled], error: BrokerError | None) -> None:
        rows = [row for row in rows if self._is_on_its_way(row[0])]
        if not error:
            self._confirm([delivery for delivery, _ in rows])
        elif isinstance(error, QueueMissing):  # it is older than packs; if it is gone, each row will say so
            self._packs_from = asyncio.get_running_loop().time() + _PACK_AGAIN_AFTER
            for row in rows:
                self._publish(row)
        elif isinstance(error, Refused):
            self._try_again(error, partial(self._publish_left, rows))
        elif rows:
            self._give_up(error)  # unacknowledged, the tasks stay with the broker

    def _on_outcome(self, settled: _Settled, error: BrokerError | None) -> None:
        delivery, _ = settled
        if not self._is_on_its_way(delivery):
            return
        if not error:
            self._confirm([delivery])
        elif isinstance(error, Refused) or (isinstance(error, QueueMissing) and self._may_come_back()):
            self._try_again(error, partial(self._publish, settled))
        else:
            self._give_up(error)

    def _confirm(self, deliveries: Sequence[Delivery]) -> None:
        self._is_refused = False
        self._missing_since = None
        if self._confirm_times:
            self._confirm_times.end([self._outcomes[delivery.tag] for delivery in deliveries])
        for delivery in deliveries:
            del self._outcomes[delivery.tag]
        self._on_confirmed(deliveries)

    def _try_again(self, error: BrokerError, publish: Callable[[], None]) -> None:
        if isinstance(error, Refused) and not self._is_refused:
            self._is_refused = True
            _log.warning("%s; trying again", error)
        asyncio.get_running_loop().call_later(_PAUSE, publish)

    def _may_come_back(self) -> bool:
        """Whether a queue is missing for so short a time that somebody may be purging it, which makes it anew."""
        now = asyncio.get_running_loop().time()
        self._missing_since = self._missing_since or now
        return now - self._missing_since < _MADE_WITHIN
