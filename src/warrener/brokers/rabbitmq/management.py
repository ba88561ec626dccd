"""The management API: what AMQP cannot tell, a few seconds late, where it is there and lets us in."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

import msgspec

from warrener.brokers.rabbitmq.keep_alive import KeepAlive
from warrener.brokers.rabbitmq.tls import tls_context
from warrener.codec import NOT_JSON
from warrener.errors import AccessRefused, BrokerError, BrokerUnreachable

if TYPE_CHECKING:
    from warrener.address import Address

TIMEOUT = 5.0  # seconds
_FINE: Final = range(200, 300)
_REFUSED: Final = (401, 403)
_MALFORMED: Final = 400

_T = TypeVar("_T")


class QueueInfo(msgspec.Struct, frozen=True):
    """What is told of a queue. A count that is left out is unknown: of new queues, and of some after an upgrade."""

    name: str
    type: str = ""
    arguments: dict[str, Any] = {}
    effective_policy_definition: Any = None
    messages: int | None = None
    messages_ready: int | None = None
    messages_unacknowledged: int | None = None
    messages_by_priority: Any = None
    consumer_details: list[dict[str, Any]] = []

    @property
    def policy(self) -> dict[str, Any]:
        """What policies set, an operator's and others together; where there are none, RabbitMQ writes one of many things."""
        found = self.effective_policy_definition
        return found if isinstance(found, dict) else {}

    @property
    def ready_by_priority(self) -> dict[int, int] | None:
        """How many messages of each priority are ready; None where that is not told, as before 4.3."""
        found = self.messages_by_priority
        return {int(name): count for name, count in found.items()} if isinstance(found, dict) else None

    @property
    def held(self) -> tuple[int | None, int | None]:
        """How many messages consumers hold, and how many nobody can have at the moment."""
        if self.messages is None or self.messages_ready is None or self.messages_unacknowledged is None:
            return self.messages_unacknowledged, None
        hidden = self.messages - self.messages_ready - self.messages_unacknowledged
        return self.messages_unacknowledged, max(0, hidden)


class Alarm(msgspec.Struct, frozen=True):
    """An alarm in effect."""

    node: str = "?"
    resource: str = "?"


class Member(msgspec.Struct, frozen=True):
    """What one member of a quorum queue says of itself; it says less while it cannot be reached."""

    node: str = msgspec.field(default="?", name="Node Name")
    machine_version: int | str | None = msgspec.field(default=None, name="Machine Version")


class _User(msgspec.Struct):
    tags: list[str] | str = []


class _Page(msgspec.Struct):
    items: list[QueueInfo]


class _Alarms(msgspec.Struct):
    alarms: list[Alarm] = []


class Management:
    """A reader of the management API of one broker, over a connection that it keeps until it is closed."""

    def __init__(self, address: Address) -> None:
        user, password = address.credentials
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
        self._address = address
        self._http = KeepAlive(self.url, headers, lambda: tls_context(address))

    @property
    def url(self) -> str:
        """Where it is."""
        return self._address.management_url

    def close(self) -> None:
        """Close its connection; harmless when it is closed."""
        self._http.close()

    async def queues(self, *, timeout: float = TIMEOUT) -> dict[str, QueueInfo]:  # noqa: ASYNC109 - of a socket
        """The queues that belong to this address's queue, by name, with their counts and arguments.

        Raises:
            BrokerError: The API is not there, or refuses this user; the text says which.
        """
        name = quote("^" + self._address.queue.replace(".", "[.]") + r"([.]|$)", safe="")
        path = f"queues/{quote(self._address.vhost, safe='')}?use_regex=true&pagination=true&page_size=500&page=1"
        # Totals alone come from the queues themselves; everything else makes a detour that takes seconds more.
        totals = "disable_stats=true&enable_queue_totals=true"
        found = await self._get(f"{path}&{totals}&name={name}", _Page, timeout=timeout)
        return {queue.name: queue for queue in found.items}

    async def journaled_queues(self) -> list[str]:
        """The names of all queues on this virtual host that have a journal.

        Raises:
            BrokerError: The API is not there, or refuses this user.
        """
        name = quote("[.]journal$", safe="")
        path = f"queues/{quote(self._address.vhost, safe='')}?use_regex=true&pagination=true&page_size=500&page=1"
        found = await self._get(f"{path}&disable_stats=true&name={name}", _Page)
        return [queue.name.removesuffix(".journal") for queue in found.items]

    async def alarms(self) -> list[Alarm]:
        """The alarms in effect; right at once, unlike what `nodes` tells.

        The check answers 503 when there are some (source: RabbitMQ's rabbit_mgmt_wm_health_check_alarms).
        """
        return (await self._get("health/checks/alarms", _Alarms, failing=503)).alarms

    async def queue(self, name: str) -> QueueInfo:
        """All about one queue, with its consumers; of a stream `queues` tells no policy."""
        path = f"queues/{quote(self._address.vhost, safe='')}/{quote(name, safe='')}"
        return await self._get(path, QueueInfo)

    async def members(self, name: str) -> list[Member]:
        """The members of a quorum queue."""
        path = f"queues/quorum/{quote(self._address.vhost, safe='')}/{quote(name, safe='')}/status"
        return await self._get(path, list[Member])

    async def is_administrator(self) -> bool:
        """Whether this user may create users.

        Raises:
            BrokerError: The API is not there, or refuses this user.
        """
        tags = (await self._get("whoami", _User)).tags
        return "administrator" in (tags.split(",") if isinstance(tags, str) else tags)

    async def put(self, path: str, content: object) -> None:
        """Create something, or replace it.

        Raises:
            BrokerError: The API is not there, or refuses it.
        """
        body = msgspec.json.encode(content)
        if await asyncio.to_thread(self._ask, path, "PUT", body, failing=_MALFORMED):
            # RabbitMQ looks whether a user is there, and then makes it: of two who ask at the same moment one is refused.
            await asyncio.to_thread(self._ask, path, "PUT", body)

    async def _get(
        self,
        path: str,
        kind: type[_T],
        *,
        failing: int | None = None,
        timeout: float = TIMEOUT,  # noqa: ASYNC109
    ) -> _T:
        answer = await asyncio.to_thread(self._ask, path, failing=failing, timeout=timeout)
        try:
            return msgspec.json.decode(answer, type=kind)
        except NOT_JSON as error:
            raise BrokerError(
                f"what answers at {self.url} is no management API of RabbitMQ: {error}"
            ) from error

    def _ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        failing: int | None = None,
        timeout: float = TIMEOUT,
    ) -> bytes:
        """The answer's body; status `failing` is an answer, too."""
        from http.client import HTTPException  # not before: see `KeepAlive`

        try:
            status, found = self._http.ask(method, f"api/{path}", body, timeout)
        except (OSError, HTTPException, ValueError) as error:
            raise BrokerUnreachable(
                f"the management API at {self.url} cannot be reached ({error})"
            ) from error
        if status == failing or status in _FINE:
            return found
        if status in _REFUSED:
            raise AccessRefused(
                f"the management API at {self.url} refuses this to user {self._address.credentials[0]!r}, who needs the tag "
                f"{'management' if method == 'GET' else 'administrator'!r}"
            )
        raise BrokerError(f"the management API at {self.url} answers {status}")
