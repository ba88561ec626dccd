"""A cluster of RabbitMQ nodes on one machine, each in a network namespace of its own, so that a wire can be cut.

    with Cluster(3) as cluster:
        cluster.partition(cluster.leader("work-queue"))

The namespaces have no names. They live as long as the processes that hold them open, which end with ours, however
that ends; and with a namespace go its interfaces, and the one interface of the host that leads there.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import http.client
import ipaddress
import json
import random
import secrets
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

from tests.own_directory import OwnDirectory
from tests.rabbitmq_server import NoBroker, RabbitMQ
from tests.rabbitmq_server.settings import Settings, write
from tests.rabbitmq_server.sources import Docker, find

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.rabbitmq_server.sources import Source

# How long nodes may be silent before they hold each other for dead, in seconds, unless told otherwise.
NET_TICKTIME: Final = 60

# Kept for measurements between machines (RFC 2544), so nobody lives there.
_SUBNETS: Final[list[ipaddress.IPv4Network]] = list(
    ipaddress.IPv4Network("198.18.0.0/15").subnets(new_prefix=24)
)
_NOBODY: Final = "02:00:00:00:00:01"
_CONFIG: Final = """
cluster_formation.peer_discovery_backend = classic_config
"""


class Node(RabbitMQ):
    """One node of a cluster."""

    def __init__(self, directory: Path, host: str, enter: Sequence[str], *, extra_config: str) -> None:
        super().__init__(directory, extra_config=extra_config)
        self.host = host
        self._enter = enter

    @property
    def name(self) -> str:
        """As the cluster knows it."""
        return f"{self._settings.node}@{self.host}"

    @property
    def is_running(self) -> bool:
        """Whether it was started, and neither stopped nor killed since."""
        return self._process is not None

    def get(self, path: str) -> Any:
        """What this node's management API answers.

        Raises:
            OSError: Nobody answers.
            LookupError: There is no such thing, or not now.
        """
        user, password = self._settings.user, self._settings.password
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        connection = http.client.HTTPConnection(self.host, self._settings.management_port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", f"/api/{path}", headers={"Authorization": f"Basic {token}"})
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                raise LookupError(f"{path}: {answer.status} {answer.reason}")
            return json.load(answer)

    def _find(self) -> Source:
        source = find()
        if isinstance(source, Docker):
            raise NoBroker(
                "A cluster for tests cannot be made with Docker: install rabbitmq-server 4.3 and be root."
            )
        return _Inside(source, self.host, self._enter)

    def _environment(self, source: Source) -> list[str]:
        everybody = self.host.replace(".", ",")
        return [
            *super()._environment(source),  # of two settings of one name the latter counts
            f"ERL_EPMD_ADDRESS={self.host}",
            f"ERL_AFLAGS=-kernel inet_dist_use_interface {{{everybody}}} +sbwt none +sbwtdcpu none +sbwtdio none",
            f"RABBITMQ_NODENAME={self.name}",
            "RABBITMQ_USE_LONGNAME=true",
        ]


class Cluster:
    """RabbitMQ nodes that form one cluster, with a network that can be taken apart.

    Args:
        count: How many nodes.
        ticktime: Seconds that nodes may be silent before they hold each other for dead.
    """

    def __init__(self, count: int, *, ticktime: int = NET_TICKTIME) -> None:
        self.nodes: list[Node] = []
        self._count = count
        self._ticktime = ticktime
        self._network: _Network | None = None
        self._directory = OwnDirectory("warrener-cluster-")

    def __enter__(self) -> Self:
        try:
            self._network = _Network(self._count)
            self.nodes = _nodes(self._directory.path, self._network, self._ticktime)
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            _at_once([node.kill for node in self.nodes])
        finally:
            if self._network:
                self._network.close()
            self._directory.remove()

    def start(self) -> None:
        """Start all nodes that do not run, and wait until clients can use them."""
        _at_once([node.start for node in self.nodes if not node.is_running])

    def stop(self) -> None:
        """Stop all nodes cleanly."""
        _at_once([node.stop for node in self.nodes])

    def kill(self) -> None:
        """SIGKILL all nodes."""
        _at_once([node.kill for node in self.nodes])

    def leader(self, queue: str, *, seen_by: int | None = None) -> int:
        """The index of the node that leads a queue or stream of the virtual host "/".

        Args:
            queue: Its name.
            seen_by: The node to ask; any that runs without it.

        Raises:
            LookupError: It has no leader now.
        """
        names = [node.name for node in self.nodes]
        leader = self.ask(f"queues/%2F/{quote(queue, safe='')}", of=seen_by).get("leader")
        if leader not in names:
            raise LookupError(f"{queue} has no leader")
        return names.index(leader)

    def ask(self, path: str, *, of: int | None = None) -> Any:
        """What the management API of a node answers; see `Node.get`."""
        if of is None:
            of = next(index for index, node in enumerate(self.nodes) if node.is_running)
        return self.nodes[of].get(path)

    def running(self, *, seen_by: int) -> list[int]:
        """The nodes that a node holds for running."""
        shown = {node["name"] for node in self.ask("nodes", of=seen_by) if node["running"]}
        return [index for index, node in enumerate(self.nodes) if node.name in shown]

    def partition(self, index: int) -> None:
        """Let one node and all others hear nothing of each other; clients still reach every one."""
        if self._network:
            self._network.part(index)

    def heal(self) -> None:
        """Undo every partition."""
        if self._network:
            self._network.heal()


# What follows is private.


@dataclasses.dataclass(frozen=True)
class _Inside:
    """A RabbitMQ that is run in a network namespace."""

    source: Source
    address: str
    enter: Sequence[str]

    def home(self, directory: Path) -> str:
        return self.source.home(directory)

    def environment(self) -> list[str]:
        return self.source.environment()

    def node(self, directory: Path, settings: Settings) -> list[str]:
        return [*self.enter, *self.source.node(directory, settings)]

    def inside(self, directory: Path, settings: Settings) -> list[str]:
        return [*self.enter, *self.source.inside(directory, settings)]


class _Namespace:
    """A network namespace, and the process that holds it open until we close a pipe, or are gone."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo && read -r _"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.pid = str(self._holder.pid)
        if not self._holder.stdout or not self._holder.stdout.readline():
            self.close()
            raise NoBroker("A cluster for tests needs network namespaces: be root, on Linux, with iproute2.")

    @property
    def enter(self) -> list[str]:
        """A command that runs the command appended to it here."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net"]

    def ip(self, *words: str) -> None:
        """Run `ip` here."""
        _run([*self.enter, "ip", *words])

    def close(self) -> None:
        """Let it go, with all that is in it."""
        with self._holder:  # closes the pipes, on whose end it waits
            pass


class _Network:
    """A bridge, which has a namespace of its own, too, and wires from it to the host and to each node."""

    def __init__(self, count: int) -> None:
        with contextlib.ExitStack() as stack:
            self._hub, *self.spaces = [stack.enter_context(_held()) for _ in range(count + 1)]
            hosts = _free_subnet().hosts()
            router, *self.hosts = [str(next(hosts)) for _ in range(count + 1)]
            self._hub.ip("link", "add", "bridge", "type", "bridge")
            self._hub.ip("link", "set", "bridge", "up")
            wire = f"warrener-{secrets.token_hex(3)}"
            _run(["ip", "link", "add", wire, "type", "veth", "peer", "name", "host", "netns", self._hub.pid])
            self._plug("host")
            _run(["ip", "address", "add", f"{router}/24", "dev", wire])
            _run(["ip", "link", "set", wire, "up"])
            for index, (space, host) in enumerate(zip(self.spaces, self.hosts, strict=True)):
                peer = ["type", "veth", "peer", "name", f"node{index}", "netns", self._hub.pid]
                space.ip("link", "add", "wire", *peer)
                self._plug(f"node{index}")
                space.ip("address", "add", f"{host}/24", "dev", "wire")
                space.ip("link", "set", "wire", "up")
            self._stack = stack.pop_all()

    def part(self, lone: int) -> None:
        for index in range(len(self.spaces)):
            if index != lone:
                self._deafen(index, lone)
                self._deafen(lone, index)

    def heal(self) -> None:
        for space in self.spaces:
            space.ip("neighbour", "flush", "nud", "permanent", "dev", "wire")

    def close(self) -> None:
        self._stack.close()

    def _plug(self, end: str) -> None:
        self._hub.ip("link", "set", end, "master", "bridge", "up")

    def _deafen(self, sender: int, receiver: int) -> None:
        """Let what one sends to the other go to a hardware address that nobody has: no error, only silence."""
        nobody = [self.hosts[receiver], "lladdr", _NOBODY, "nud", "permanent", "dev", "wire"]
        self.spaces[sender].ip("neighbour", "replace", *nobody)


def _held() -> contextlib.closing[_Namespace]:
    return contextlib.closing(_Namespace())


def _free_subnet() -> ipaddress.IPv4Network:
    while True:
        subnet = random.choice(_SUBNETS)
        if not _run(["ip", "route", "show", "exact", str(subnet)]):
            return subnet


def _nodes(directory: Path, network: _Network, ticktime: int) -> list[Node]:
    """Nodes with one cookie, user and password, and the usual ports, since each has an address of its own."""
    cookie, password = secrets.token_hex(16), secrets.token_hex(16)
    settings = Settings("rabbit", "warrener", password, 5672, 15672, 5671, 25672, 4369)
    peers = "".join(
        f"cluster_formation.classic_config.nodes.{number} = {settings.node}@{host}\n"
        for number, host in enumerate(network.hosts, 1)
    )
    nodes = []
    for host, space in zip(network.hosts, network.spaces, strict=True):
        home = directory / host
        home.mkdir()
        write(home / "node.json", json.dumps(dataclasses.asdict(settings)))
        write(home / ".erlang.cookie", cookie, mode=0o400)
        nodes.append(
            Node(home, host, space.enter, extra_config=f"{_CONFIG}net_ticktime = {ticktime}\n{peers}")
        )
    return nodes


def _at_once(deeds: Sequence[Callable[[], None]]) -> None:
    """Do all of this at the same time: a node that was told of others waits for them."""
    with ThreadPoolExecutor(max(len(deeds), 1)) as threads:
        for done in [threads.submit(deed) for deed in deeds]:
            done.result()


def _run(command: Sequence[str]) -> str:
    """What a command prints."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoBroker(f"A cluster for tests cannot be made here: {' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
