"""What a node keeps over restarts, and the files it reads when it starts."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
import secrets
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.rabbitmq_server.sources import Source


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a node keeps over restarts."""

    node: str
    user: str
    password: str
    amqp_port: int
    management_port: int
    tls_port: int
    distribution_port: int
    epmd_port: int


def settings_in(directory: Path) -> Settings:
    """The settings of the node in a directory; new ones for a new node."""
    file = directory / "node.json"
    if file.exists():
        return Settings(**json.loads(file.read_text("utf-8")))
    name = f"warrener-{secrets.token_hex(4)}"
    settings = Settings(name, "warrener", secrets.token_hex(16), *free_ports(5))
    write(file, json.dumps(dataclasses.asdict(settings), indent=2))
    return settings


def environment(source: Source, home: str, settings: Settings) -> list[str]:
    """`env` and the settings RabbitMQ's scripts take from the environment; nothing secret.

    Args:
        source: Where its programs are.
        home: Its directory, as it sees that.
        settings: Its own.
    """
    s = settings
    return [
        "env",
        *(f"--unset={name}" for name in os.environ if name.startswith(("RABBITMQ_", "ERL_", "ERLANG_"))),
        *source.environment(),
        f"HOME={home}",  # where Erlang looks for its cookie
        "LC_ALL=C.UTF-8",
        f"ERL_CRASH_DUMP={home}/log/erl_crash.dump",
        f"ERL_EPMD_PORT={s.epmd_port}",
        "ERL_EPMD_ADDRESS=127.0.0.1",
        # For every Erlang there is, rabbitmqctl too: bind to 127.0.0.1, and do not spin when idle. Spinning
        # ("short") would start in half the time here, but costs twice the CPU for each message afterwards.
        "ERL_AFLAGS=-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
        f"RABBITMQ_NODENAME={s.node}@localhost",
        f"RABBITMQ_DIST_PORT={s.distribution_port}",
        f"RABBITMQ_CONF_ENV_FILE={home}/rabbitmq-env.conf",
        f"RABBITMQ_CONFIG_FILE={home}/rabbitmq.conf",
        f"RABBITMQ_CONFIG_FILES={home}/conf.d",
        f"RABBITMQ_ADVANCED_CONFIG_FILE={home}/advanced.config",
        f"RABBITMQ_ENABLED_PLUGINS_FILE={home}/enabled_plugins",
        f"RABBITMQ_MNESIA_BASE={home}/data",
        f"RABBITMQ_MNESIA_DIR={home}/data/node",
        f"RABBITMQ_FEATURE_FLAGS_FILE={home}/data/feature_flags",
        f"RABBITMQ_PLUGINS_EXPAND_DIR={home}/data/plugins",
        f"RABBITMQ_PID_FILE={home}/data/pid",
        f"RABBITMQ_LOG_BASE={home}/log",
        f"RABBITMQ_LOGS={home}/log/node.log",
    ]


def write_files(directory: Path, source: Source, settings: Settings, extra_config: str) -> None:
    """Write what the node reads when it starts, with these lines too in its rabbitmq.conf."""
    for name in ("data", "log", "conf.d"):
        (directory / name).mkdir(exist_ok=True)
    s = settings
    configuration = f"""\
listeners.tcp.1 = {source.address}:{s.amqp_port}
management.tcp.ip = {source.address}
management.tcp.port = {s.management_port}
default_user = {s.user}
default_pass = {s.password}
default_user_tags.administrator = true
collect_statistics_interval = 1000
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 2GB
{extra_config}
"""
    write(directory / "rabbitmq.conf", configuration)
    # Quorum queues report their lengths at each tick, by default only every five seconds; and what was on its way out
    # of a delay when the node was killed is sent again after ten seconds, by default after three minutes.
    advanced = "{quorum_tick_interval, 1000}, {dead_letter_worker_publisher_confirm_timeout, 10000}"
    write(directory / "advanced.config", f"[{{rabbit, [{advanced}]}}].\n")
    write(directory / "enabled_plugins", "[rabbitmq_management].\n")
    write(directory / "rabbitmq-env.conf", "")
    if not (cookie := directory / ".erlang.cookie").exists():
        write(cookie, secrets.token_hex(16), mode=0o400)


def write(file: Path, text: str, mode: int = 0o600) -> None:
    """Write a file that nobody else may read."""
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as out:  # noqa: PTH123
        out.write(text)


# What follows is private.


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, from below those the system gives to clients.

    A port the system gave us could become some client's own while the node is down.
    """
    ports: set[int] = set()
    while len(ports) < count:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            ports.add(port)
    return list(ports)
