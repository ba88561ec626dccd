"""Where a queue lives: the broker's address and the queue's name, checked."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

import msgspec

from warrener.errors import UsageError

DEFAULT_QUEUE: Final = "work-queue"
EMBEDDED: Final = "embedded"
BROKER_VARIABLE: Final = "WARRENER_BROKER"
QUEUE_VARIABLE: Final = "WARRENER_QUEUE"
MANAGEMENT_VARIABLE: Final = "WARRENER_MANAGEMENT"
WITHHELD: Final = "withheld"  # what handlers find instead of their worker's broker
AUTHORITY: Final = "cacertfile"  # as RabbitMQ's own clients call it in URLs
HEARTBEAT: Final = "heartbeat"
_DEFAULT_HEARTBEAT: Final = "30"
_LONGEST_HEARTBEAT: Final = 0xFFFF  # AMQP has 16 bits for it
_CLUSTER: Final = "k8s:"
_MEMORY: Final = "memory:"
# The longest object name is QUEUE.delay.MILLISECONDS, and AMQP names end at 255 bytes.
_QUEUE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
_MANAGEMENT = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[!-?A-~]*)?")
_OWN_OBJECTS = re.compile(
    r".*\.(results|results\.packed|failed|outcomes|control|beats|journal|published|logs|delay\.\d+)"
)


class Address(msgspec.Struct, frozen=True):
    """A queue on a broker.

    Args:
        broker: `embedded` (the file `.warrener/QUEUE.db` below the working directory), `sqlite:PATH`,
            `amqp://USER:PASSWORD@HOST:PORT/VHOST` or `amqps://...` (with `?cacertfile=FILE` where the system does
            not trust the broker's authority), `k8s:NAMESPACE` or `k8s:CONTEXT/NAMESPACE` (the broker in a
            Kubernetes namespace), `memory:NAME` (queues that live as long as this process, for tests), or
            `file:PATH`, a file that holds one of these.
        queue: The queue's name: letters, digits, `_`, `.` and `-`.
        management: Base URL of RabbitMQ's management API; by default port 15672 (15671 with TLS) of the
            broker's host, with the broker's credentials.
        file: The file that the broker's address was read from; it comes from `file:PATH`.

    Raises:
        UsageError: Says which part is wrong.
    """

    broker: str = EMBEDDED
    queue: str = DEFAULT_QUEUE
    management: str | None = None
    file: str | None = None

    @classmethod
    def here(
        cls, broker: str | None = None, queue: str | None = None, management: str | None = None
    ) -> Address:
        """The queue that the environment names, as the command line finds it; whatever is given wins.

        Raises:
            UsageError: Says which part is wrong.
        """
        return cls(
            broker or _default_broker(),
            queue or _default_queue(),
            management or os.environ.get(MANAGEMENT_VARIABLE) or None,
        )

    def __post_init__(self) -> None:
        if not _QUEUE_NAME.fullmatch(self.queue):
            raise UsageError(
                f"queue name {self.queue!r} is not allowed: use up to 200 letters, digits, '_', '.' and '-', "
                "and begin with a letter, a digit or '_'"
            )
        if self.queue.startswith("amq.") or _OWN_OBJECTS.fullmatch(self.queue):
            raise UsageError(
                f"queue name {self.queue!r} is taken by the broker's own objects: names must not begin with 'amq.' "
                "nor end with '.results', '.results.packed', '.failed', '.outcomes', '.control', '.beats', '.journal', "
                "'.published', '.logs' or '.delay.NUMBER'"
            )
        if self.broker == WITHHELD:
            raise UsageError(
                "a worker withholds the address of its broker from handlers, since a password may be in it: give this one "
                "an address of its own, as an argument"
            )
        _check_ends("the broker's address", self.broker)
        if self.broker.startswith("file:"):
            msgspec.structs.force_setattr(self, "file", self.broker.removeprefix("file:"))
            msgspec.structs.force_setattr(self, "broker", _read(self.broker.removeprefix("file:")))
            _check_ends(f"the broker's address in {self.file}", self.broker)
        if not self.is_embedded and not self.is_in_memory and self.place is None:
            _check_url(self.broker)
        if self.management:
            _check_ends("the management address", self.management)
            if not _MANAGEMENT.fullmatch(self.management):
                # Not repeated here: it may hold a password.
                raise UsageError(
                    "invalid management address: use http://HOST:PORT or https://HOST:PORT, without user and password, "
                    "for which the broker's own are used"
                )

    @property
    def is_embedded(self) -> bool:
        """Whether the broker is the embedded one."""
        return self.broker == EMBEDDED or self.broker.startswith("sqlite:")

    @property
    def is_in_memory(self) -> bool:
        """Whether the broker is the one in memory."""
        return self.broker.startswith(_MEMORY)

    @property
    def place(self) -> str | None:
        """The place in Kubernetes, `NAMESPACE` or `CONTEXT/NAMESPACE`; None for other brokers."""
        return self.broker.removeprefix(_CLUSTER) if self.broker.startswith(_CLUSTER) else None

    @property
    def path(self) -> Path:
        """The embedded broker's file."""
        if self.broker == EMBEDDED:
            return Path(".warrener") / f"{self.queue}.db"
        return Path(self.broker.removeprefix("sqlite:"))

    @property
    def shown(self) -> str:
        """The broker as it may be printed: without its password."""
        if self.is_embedded:
            return str(self.path)
        if self.place is not None or self.is_in_memory:
            return self.broker
        url = urlsplit(self.broker)
        port = f":{url.port}" if url.port else ""
        vhost = "" if url.path in ("", "/", "/%2F", "/%2f") else url.path
        return f"{url.scheme}://{_host(url)}{port}{vhost}"

    @property
    def management_url(self) -> str:
        """Base URL of the management API, without credentials."""
        if self.management:
            return self.management.rstrip("/")
        url = urlsplit(self.broker)
        secure = url.scheme == "amqps"
        return f"{'https' if secure else 'http'}://{_host(url)}:{15671 if secure else 15672}"

    @property
    def credentials(self) -> tuple[str, str]:
        """User and password from the URL; RabbitMQ's local default where it has none."""
        url = urlsplit(self.broker)
        return unquote(url.username or "guest"), unquote(url.password or "guest")

    @property
    def vhost(self) -> str:
        """The virtual host, `/` by default."""
        return unquote(urlsplit(self.broker).path[1:]) or "/"

    @property
    def authority(self) -> str | None:
        """The file with the certificates to trust; None for the system's own."""
        return self._options.get(AUTHORITY)

    @property
    def heartbeat(self) -> int:
        """Seconds between two signs of life; 0 for none."""
        return int(self._options.get(HEARTBEAT, _DEFAULT_HEARTBEAT))

    @property
    def _options(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.broker).query))

    def on(self, vhost: str) -> Address:
        """The same queue on another virtual host."""
        url = urlsplit(self.broker)._replace(path=f"/{quote(vhost, safe='')}")
        return msgspec.structs.replace(self, broker=url.geturl(), file=None)

    def flags(self) -> str:
        """The options that lead a command to this queue again, each after a space, quoted for a shell.

        What the environment says already is left out. A password is never in them: where one must be given again, the
        word PASSWORD stands for it.
        """
        words = []
        given = self.broker if self.file is None else f"file:{self.file}"
        if given != _default_broker():
            words += ["--broker", self._without_password if self.file is None else given]
        if self.queue != _default_queue():
            words += ["--queue", self.queue]
        if self.management and self.management != os.environ.get(MANAGEMENT_VARIABLE):
            words += ["--management", self.management]
        return "".join(f" {shlex.quote(word)}" for word in words)

    @property
    def _without_password(self) -> str:
        url = urlsplit(self.broker)
        if self.is_embedded or self.place is not None or url.password is None:
            return self.broker
        user, _, host = url.netloc.rpartition("@")
        return url._replace(netloc=f"{user.partition(':')[0]}:PASSWORD@{host}").geturl()


def _default_broker() -> str:
    return os.environ.get(BROKER_VARIABLE) or EMBEDDED


def _default_queue() -> str:
    return os.environ.get(QUEUE_VARIABLE) or DEFAULT_QUEUE


def _host(url: SplitResult) -> str:
    """The host as it stands in a URL: an IPv6 address in brackets."""
    host = url.hostname or ""
    return f"[{host}]" if ":" in host else host


def _check_ends(what: str, text: str) -> None:
    """Refuse what comes along where a value was copied or a file was written, and is in no address."""
    if "\0" in text:
        raise UsageError(f"{what} has a NUL character in it; leave it out")
    if text != text.strip():
        found = "a line break" if text.strip("\r\n") != text else "a space"
        place = "end" if text != text.rstrip() else "beginning"
        raise UsageError(f"{what} has {found} at its {place}; leave it out")
    if "\n" in text or "\r" in text:
        raise UsageError(
            f"{what} has more than one line; leave a single one, with %XX for a line break in the password"
        )


def _read(path: str) -> str:
    try:
        broker = Path(path).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"the broker's address cannot be read from {path}: {reason}") from error
    if not broker:
        raise UsageError(f"the broker's address cannot be read from {path}: the file is empty")
    return broker


def _check_url(broker: str) -> None:
    way_out = "use amqp://USER:PASSWORD@HOST:PORT/VHOST, amqps://..., k8s:NAMESPACE, sqlite:PATH, file:PATH or 'embedded'"
    # The address may hold a password, so the sentence must not repeat it, and neither what Python says of it.
    try:
        url = urlsplit(broker)
        port_is_right = url.port is None or url.port > 0
        # An '@' after the host: that was no host, but the beginning of a password with one of '/?#' in it.
        is_whole = broker.isprintable() and not url.fragment and "@" not in url.path + url.query
    except ValueError:
        is_whole = False
    if not is_whole:
        raise UsageError(
            f"the broker's address cannot be read: {way_out}, "
            "with %XX for each of '/', '?', '#', '[', ']', '@', ':' and '%' in the user and the password"
        )
    if url.scheme not in ("amqp", "amqps"):
        found = f"the scheme {url.scheme!r}" if url.scheme else "no scheme"
        raise UsageError(f"the broker's address has {found}; {way_out}")
    if not url.hostname or not port_is_right:
        raise UsageError(f"the broker's address names no host or no port; {way_out}")
    options = dict(parse_qsl(url.query, keep_blank_values=True))
    unknown = ", ".join(sorted(repr(name) for name in options.keys() - {AUTHORITY, HEARTBEAT}))
    if unknown:
        raise UsageError(
            f"the broker's address has the option {unknown}; it can have {AUTHORITY} and {HEARTBEAT}, and who answers at "
            "amqps:// is always verified"
        )
    heartbeat = options.get(HEARTBEAT, "0")
    if not heartbeat.isdecimal() or int(heartbeat) > _LONGEST_HEARTBEAT:
        raise UsageError(
            f"the broker's address has a heartbeat that is no number of seconds up to {_LONGEST_HEARTBEAT}"
        )
