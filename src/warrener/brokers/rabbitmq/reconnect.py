"""The connection, which is mended when it breaks, and the roles that go on over it."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from warrener.brokers.rabbitmq.amqp.connection import Connection
from warrener.brokers.rabbitmq.condition import Condition
from warrener.errors import (
    AccessRefused,
    BrokerError,
    BrokerUnreachable,
    MessageTooLarge,
    QueueMismatch,
    QueueMissing,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warrener.address import Address
    from warrener.brokers.rabbitmq.amqp.channel import Channel

_log = logging.getLogger("warrener.broker")

T = TypeVar("T")

# Seconds.
RECONNECT_FOR: Final = 300.0
AGAIN_FOR: Final = 30.0
"""For so long is done again what a lost connection has interrupted, where somebody waits for its answer; see `Reconnecting.patience`."""
AGAIN_AFTER: Final = 0.5
_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_LEAVE_WITHIN: Final = 5.0  # in alarm the broker hears nobody
_AWAY_FROM: Final = 1.0  # a broker that is back sooner was there; only the connection was not
_MAX_BODY: Final = 16 * 1024 * 1024
_MAX_BODY_BEFORE_4: Final = 128 * 1024 * 1024
# Errors that no new connection mends.
_NOT_MENDED: Final = (AccessRefused, QueueMissing, QueueMismatch)


class Role(Protocol):
    """Something that goes on over a new channel when the old one is gone."""

    async def attach(self, channel: Channel) -> None:
        """Go on over this channel."""

    def detach(self) -> None:
        """The channel is gone."""

    def limit(self, error: MessageTooLarge) -> None:
        """Drop what is too large, before the next channel."""

    def fail(self, error: BrokerError) -> None:
        """No channel will come."""


class Reconnecting:
    """One connection at a time.

    Args:
        address: Where to.
        on_blocked: Called when the broker takes messages no more, or again.
        on_limit: Told how many bytes a message may have, as soon as that is known.
    """

    def __init__(
        self, address: Address, on_blocked: Callable[[], None], on_limit: Callable[[int], None]
    ) -> None:
        self.back_at = float("-inf")
        """When the broker was last back after it had been away, on the loop's clock."""
        self.patience = AGAIN_FOR
        """For how many seconds what was interrupted is done again."""
        self.leaving: set[Callable[[], Awaitable[None]]] = set()
        """What is called before the connection is closed: readers that nobody has closed return what they hold."""
        self._address = address
        self._on_blocked = on_blocked
        self._on_limit = on_limit
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()
        self._roles: list[Role] = []
        self._mending: set[asyncio.Task[None]] = set()
        self.is_closing = False
        self._lost: BrokerError | None = None
        self._condition = Condition()

    async def connection(self) -> Connection:
        """The connection; a new one if there is none, and this is not being closed."""
        async with self._opening:
            if self.is_closing:
                raise BrokerUnreachable(f"the connection to {self._address.shown} is closed")
            if self._connection is None:
                connection = await Connection(
                    self._address, self._on_connection_lost, self._on_blocked
                ).open()
                self._connection = connection
                self._on_limit(_MAX_BODY if connection.version >= (4, 0) else _MAX_BODY_BEFORE_4)
        return self._connection

    @property
    def current(self) -> Connection | None:
        """The connection, where there is one."""
        return None if self.is_closing else self._connection

    async def again(self, do: Callable[[], Awaitable[T]]) -> T:
        """Do what may be done twice; where the connection is lost meanwhile, again over a new one.

        Raises:
            BrokerUnreachable: There is none for as long as its patience lasts, or this is being closed.
        """
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self.patience
        while True:
            try:
                return await do()
            except BrokerUnreachable:
                if self.is_closing or loop.time() > give_up_at:
                    raise
            await asyncio.sleep(AGAIN_AFTER)

    async def add(self, role: Role) -> None:
        """Attach a role, now and whenever its channel is lost. When it raises or is cancelled, the role is not added."""
        await self._attach(role)
        self._roles.append(role)

    @property
    def blocked_reason(self) -> str | None:
        """Why the broker takes no messages at the moment, or None."""
        if self._connection is None:
            return "the connection was lost; connecting again"
        if self._connection.blocked:
            return f"the broker is in alarm ({self._connection.blocked}) and takes no messages"
        return None

    def give_up(self, error: BrokerError) -> None:
        """No new connection mends this."""
        self._lost = error
        for role in self._roles:
            role.fail(error)
        self._condition.notify()

    async def wait_lost(self) -> None:
        """Wait until it was given up, and raise why."""
        await self._condition.wait_for(lambda: self._lost is not None)
        if self._lost:
            raise self._lost

    async def close(self) -> None:
        """Disconnect, whatever is under way."""
        self.is_closing = True
        for task in self._mending:
            task.cancel()
        try:
            await asyncio.gather(*self._mending, return_exceptions=True)
            with suppress(TimeoutError, BrokerError):
                async with asyncio.timeout(_LEAVE_WITHIN):
                    await asyncio.gather(*(leave() for leave in self.leaving))
        finally:
            if self._connection:
                await self._connection.close()

    async def _attach(self, role: Role) -> None:
        channel = await (await self.connection()).channel()
        try:
            await role.attach(channel)
        except BaseException:
            # Whoever attaches tries again; a channel that was watched already would have a second one do so.
            role.detach()
            channel.begin_close()
            raise
        channel.watch(partial(self._on_channel_lost, role))

    def _on_connection_lost(self, error: BrokerError) -> None:
        self._connection = None
        if self._roles:
            _log.warning("%s; connecting again", error)

    def _on_channel_lost(self, role: Role, error: BrokerError) -> None:
        role.detach()
        if self.is_closing:
            return
        if isinstance(error, MessageTooLarge):
            self._on_limit(error.limit)
            role.limit(error)
        elif isinstance(error, _NOT_MENDED):
            self.give_up(error)
            return
        elif self._connection and self._connection.is_open:
            _log.warning("%s; going on over a new channel", error)
        task = asyncio.get_running_loop().create_task(self._mend(role))
        self._mending.add(task)
        task.add_done_callback(self._mending.discard)

    async def _mend(self, role: Role) -> None:
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        give_up_at = began_at + RECONNECT_FOR
        pause = _PAUSE
        while True:
            try:
                await self._attach(role)
            except _NOT_MENDED as error:
                self.give_up(error)
                return
            except (BrokerError, UsageError) as error:  # certificates that cannot be read may be there soon
                if loop.time() > give_up_at:
                    self.give_up(BrokerUnreachable(str(error)))
                    return
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - a jitter, no secret
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                _log.warning("connected to %s again", self._address.shown)
                if loop.time() > began_at + _AWAY_FROM:
                    self.back_at = loop.time()
                return
