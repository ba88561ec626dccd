"""Who may do what on a broker: a user for each role at a queue, with exactly the permissions of its role."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from warrener.brokers.rabbitmq.management import Management

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warrener.address import Address

ROLES: Final = ("setup", "producer", "worker", "collector", "operator", "watcher")

_NOTHING: Final = "^$"


class Permission(NamedTuple):
    """The names that a user may configure, write to and read from, as regular expressions; and the user's tags."""

    configure: str
    write: str
    read: str
    tags: tuple[str, ...] = ()


ADMINISTRATOR: Final = Permission(".*", ".*", ".*", ("administrator",))


def permissions(queue: str) -> dict[str, Permission]:
    """What each role may do with one queue, by role."""
    name = queue.replace(".", r"\.")
    everything = rf"^{name}(\..*)?$"
    # Whoever listens to what workers run has a queue of his own for that, for as long as he listens.
    own = rf"^{name}\.beats\..+$"
    return {
        "setup": Permission(everything, everything, everything, ("management",)),
        "producer": Permission(_NOTHING, f"^{name}$", _NOTHING),
        # A worker only looks whether the delays are empty, and in the journal which there are, and what it is ordered.
        "worker": Permission(_NOTHING, rf"^{name}\.(outcomes|beats)$", rf"^{name}(\.delay\.\d+|\.journal)?$"),
        "collector": Permission(_NOTHING, _NOTHING, rf"^{name}\.(results|failed|journal|logs)$"),
        "operator": Permission(own, rf"^{name}\.(control|beats\..+)$", everything, ("management",)),
        "watcher": Permission(own, own, everything, ("management",)),
    }


async def admit(address: Address, users: Mapping[str, tuple[str, str]]) -> None:
    """Create a queue's users, or give them these passwords; and their virtual host, if it is missing.

    Args:
        address: The queue, with the credentials of an administrator, who is let into the virtual host, too.
        users: Name and password, by role.

    Raises:
        BrokerError: The management API is not there, or refuses it.
    """
    allowed = permissions(address.queue)
    with closing(Management(address)) as management:
        await management.put(f"vhosts/{quote(address.vhost, safe='')}", {})
        await _permit(management, address.vhost, address.credentials[0], ADMINISTRATOR)
        for role, (name, password) in users.items():
            user = {"password": password, "tags": ",".join(allowed[role].tags)}
            await management.put(f"users/{quote(name, safe='')}", user)
            await _permit(management, address.vhost, name, allowed[role])


async def _permit(management: Management, vhost: str, user: str, permission: Permission) -> None:
    wanted = {"configure": permission.configure, "write": permission.write, "read": permission.read}
    await management.put(f"permissions/{quote(vhost, safe='')}/{quote(user, safe='')}", wanted)
