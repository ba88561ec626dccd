"""The channel that all sessions of a broker publish over, which survives lost connections."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from warrener.brokers.rabbitmq.confirms import ConfirmTracker
from warrener.brokers.rabbitmq.topology import WORK_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.brokers.names import Names
    from warrener.brokers.protocol import Message
    from warrener.brokers.rabbitmq.amqp.channel import Channel
    from warrener.brokers.rabbitmq.session import Session
    from warrener.errors import BrokerError, MessageTooLarge


class Publishing:
    """The channel that all sessions of a broker share.

    Args:
        names: Of the queue to publish to.
        give_up: Told of an error that no new connection mends.
    """

    def __init__(self, names: Names, give_up: Callable[[BrokerError], None]) -> None:
        self.error: BrokerError | None = None
        self.give_up = give_up
        self._names = names
        self._tracker: ConfirmTracker | None = None
        self._sessions: set[Session] = set()  # with something unconfirmed

    async def attach(self, channel: Channel) -> None:
        """Go on over a new channel: everything unconfirmed is published again."""
        self._tracker = await ConfirmTracker(channel).open()
        for session in self._sessions.copy():
            session.send_all()

    def detach(self) -> None:
        """The channel is gone."""
        self._tracker = None

    def limit(self, error: MessageTooLarge) -> None:
        """Have each session drop what is too large; the rest is published again."""
        for session in self._sessions.copy():
            session.limit(error)

    def fail(self, error: BrokerError) -> None:
        """No channel will come."""
        self.error = error
        for session in self._sessions.copy():
            session.condition.notify()

    @property
    def is_refused(self) -> bool:
        """Whether the broker has refused messages, and has taken none since."""
        return any(session.is_refused for session in self._sessions)

    def send(self, number: int, message: Message, then: Callable[[int, BrokerError | None], None]) -> None:
        """Publish a message, unless there is no channel: `attach` has it published then. `then` is told its number."""
        if self._tracker:
            self._tracker.publish(
                self._names.queue,
                WORK_KEY,
                message.body,
                message_id=message.id,
                priority=message.priority,
                record=message.record,
                published_at=time.time(),
                trace=message.trace,
                then=then,
                about=number,
            )

    def keep(self, session: Session, *, wanted: bool) -> None:
        """Whether a session has something unconfirmed."""
        if wanted:
            self._sessions.add(session)
        else:
            self._sessions.discard(session)
