"""The management API: what AMQP cannot tell, a few seconds late, where it is there and lets us in."""

from __future__ import annotations

import asyncio
import base64
import http.client
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from warrener.brokers.rabbitmq.link import tls_context
from warrener.codec import NOT_JSON
from warrener.errors import AccessRefused, BrokerError, BrokerUnreachable

if TYPE_CHECKING:
    from warrener.address import Address

TIMEOUT = 5.0


class Management:
    """A reader of the management API of one broker."""

    def __init__(self, address: Address) -> None:
        self._address = address

    async def queues(self) -> dict[str, dict[str, Any]]:
        """The queues that belong to this address's queue, by name, with their counts and arguments.

        Raises:
            BrokerError: The API is not there, or refuses this user; the text says which.
        """
        name = quote("^" + self._address.queue.replace(".", "[.]") + r"([.]|$)", safe="")
        path = f"queues/{quote(self._address.vhost, safe='')}?use_regex=true&pagination=true&page_size=500&page=1"
        # Totals alone come from the queues themselves; everything else makes a detour that takes seconds more.
        totals = "disable_stats=true&enable_queue_totals=true"
        found = await asyncio.to_thread(self._get, f"{path}&{totals}&name={name}")
        return {queue["name"]: queue for queue in found["items"]}

    async def alarms(self) -> list[dict[str, Any]]:
        """The alarms in effect, each with its `node` and `resource`; right at once, unlike what `nodes` tells.

        The check answers 503 when there are some (source: RabbitMQ's rabbit_mgmt_wm_health_check_alarms).
        """
        found = await asyncio.to_thread(self._get, "health/checks/alarms", failing=503)
        alarms: list[dict[str, Any]] = found.get("alarms", [])
        return alarms

    async def queue(self, name: str) -> dict[str, Any]:
        """All about one queue; of a stream `queues` tells no policy."""
        path = f"queues/{quote(self._address.vhost, safe='')}/{quote(name, safe='')}"
        found: dict[str, Any] = await asyncio.to_thread(self._get, path)
        return found

    async def consumers(self, queue: str) -> list[dict[str, Any]]:
        """Who consumes from a queue."""
        found = await self.queue(queue)
        details: list[dict[str, Any]] = found.get("consumer_details", [])
        return details

    async def put(self, path: str, content: object) -> None:
        """Create something, or replace it.

        Raises:
            BrokerError: The API is not there, or refuses it.
        """
        await asyncio.to_thread(self._ask, path, "PUT", msgspec.json.encode(content))

    def _get(self, path: str, failing: int | None = None) -> Any:
        answer = self._ask(path, failing=failing)
        try:
            return msgspec.json.decode(answer)
        except NOT_JSON as error:
            where = self._address.management_url
            raise BrokerError(f"what answers at {where} is no management API of RabbitMQ: {error}") from error

    def _ask(
        self, path: str, method: str = "GET", body: bytes | None = None, failing: int | None = None
    ) -> bytes:
        """The answer's body; status `failing` is an answer, too."""
        where = self._address.management_url
        user, password = self._address.credentials
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{where}/api/{path}", body, headers, method=method)  # noqa: S310
        context = tls_context(self._address) if where.startswith("https:") else None
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT, context=context) as answer:  # noqa: S310 - the address is checked
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                if error.code == failing:
                    return bytes(error.read())
                if error.code in (401, 403):
                    raise AccessRefused(
                        f"the management API at {where} refuses this to user {user!r}, who needs the tag "
                        f"{'management' if method == 'GET' else 'administrator'!r}"
                    ) from error
                raise BrokerError(f"the management API at {where} answers {error.code}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise BrokerUnreachable(f"the management API at {where} cannot be reached ({reason})") from error
