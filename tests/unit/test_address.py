from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from warrener.address import Address
from warrener.brokers.names import Names
from warrener.brokers.protocol import Log
from warrener.brokers.rabbitmq.topology import exchanges, place_of, queue_arguments
from warrener.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("queue", ["", "a b", "-a", "amq.x", "x" * 201])
def test_wrong_queue_names_are_refused(queue: str) -> None:
    with pytest.raises(UsageError, match="queue name"):
        Address(queue=queue)


def test_names_of_a_queues_own_objects_are_refused() -> None:
    names = Names("q")
    own = {
        *queue_arguments(names, (4, 3), [5]),
        *exchanges(names),
        *(place_of(names, log).stream for log in Log),
    }
    assert len(own) > 10
    for name in own - {"q"}:
        with pytest.raises(UsageError, match="is taken by the broker's own objects"):
            Address(queue=name)


@pytest.mark.parametrize("broker", ["http://host", "amqp://", "amqp://host:99999", "amqp://host:x", "host"])
def test_wrong_addresses_are_refused_without_repeating_them(broker: str) -> None:
    with pytest.raises(UsageError, match="use amqp://") as caught:
        Address(broker.replace("://", "://user:secret@"))
    assert "secret" not in str(caught.value)


def test_shown_address_has_no_password() -> None:
    address = Address("amqp://user:secret@host:5673/team")
    assert address.shown == "amqp://host:5673/team"
    assert address.credentials == ("user", "secret")
    assert address.vhost == "team"
    assert address.management_url == "http://host:15672"
    assert "secret" not in address.flags()


def test_ipv6_host_stands_in_brackets() -> None:
    address = Address("amqp://user:secret@[::1]:5673/team")
    assert address.shown == "amqp://[::1]:5673/team"
    assert address.management_url == "http://[::1]:15672"
    assert address.flags() == " --broker 'amqp://user:PASSWORD@[::1]:5673/team'"


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        (["sqlite:my queue's.db"], ["--broker", "sqlite:my queue's.db"]),
        (["amqp://host/a&b", "q"], ["--broker", "amqp://host/a&b", "--queue", "q"]),
        (["k8s:a;b"], ["--broker", "k8s:a;b"]),
        (["embedded", "work-queue", "http://h/a?b&c"], ["--management", "http://h/a?b&c"]),
    ],
)
def test_flags_lead_to_the_same_queue_through_a_shell(given: list[str], flags: list[str]) -> None:
    assert shlex.split(Address(*given).flags()) == flags


def test_flags_say_what_the_environment_does_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WARRENER_BROKER", "amqp://user:secret@host")
    monkeypatch.setenv("WARRENER_QUEUE", "q")
    monkeypatch.setenv("WARRENER_MANAGEMENT", "http://host:1")
    assert Address.here().flags() == ""
    assert Address.here("embedded", "work-queue").flags() == " --broker embedded --queue work-queue"
    file = tmp_path / "the url"
    file.write_text("amqp://user:secret@host\n")
    assert Address.here(f"file:{file}").flags() == f" --broker {shlex.quote(f'file:{file}')}"


@pytest.mark.parametrize(
    ("broker", "why"),
    [
        ("amqp://host\n", "the broker's address has a line break at its end; leave it out"),
        (" amqp://host", "has a space at its beginning"),
        ("k8s:batch\n", "has a line break at its end"),
        ("sqlite:a.db\r\n", "has a line break at its end"),
        ("amqp://a\namqp://b", "has more than one line"),
        ("amqp://a\0", "has a NUL character"),
    ],
)
def test_what_came_along_with_an_address_is_named(broker: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        Address(broker)


def test_file_with_an_address_may_end_with_a_line_break_and_holds_one_line(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("amqp://host\n")
    assert Address(f"file:{file}").broker == "amqp://host"
    file.write_text("amqp://host\namqp://other\n")
    with pytest.raises(UsageError, match=f"the broker's address in {file} has more than one line"):
        Address(f"file:{file}")
    file.write_text("\n")
    with pytest.raises(UsageError, match="the file is empty"):
        Address(f"file:{file}")


def test_invalid_management_address_is_said() -> None:
    with pytest.raises(UsageError, match="invalid management address"):
        Address(management="localhost")
    with pytest.raises(UsageError, match="the management address has a line break at its end"):
        Address(management="http://host:15672\n")
