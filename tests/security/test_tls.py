"""Over TLS nobody is trusted unasked, and nothing is said to whom is not trusted. A batch over TLS is in tests/rabbitmq."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

import pytest
import trustme

from tests.place import Place
from warrener.address import Address
from warrener.brokers import connect
from warrener.brokers.rabbitmq.management import Management
from warrener.errors import AccessRefused, BrokerError, BrokerUnreachable, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOST: Final = "127.0.0.1"
LONG_AGO: Final = datetime(2001, 1, 1, tzinfo=UTC)
YESTERDAY: Final = datetime(2002, 1, 1, tzinfo=UTC)


class Listener:
    """Somebody at a port of this machine, with a certificate or without, who keeps what clients say."""

    def __init__(self, certificate: trustme.LeafCert | None) -> None:
        self.heard = b""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
        if certificate and self._context:
            certificate.configure_cert(self._context)
        self._socket = socket.create_server((HOST, 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)  # ends the wait for another client
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                client.settimeout(5)
                with suppress(OSError):
                    self._hear(client)

    def _hear(self, client: socket.socket) -> None:
        if self._context is None:
            with client:
                client.recv(1 << 16)  # the client's hello, in which there is no secret
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return
        with self._context.wrap_socket(client, server_side=True) as secure:
            self.heard += secure.recv(1 << 16)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    return tmp_path / "ca.crt"


@pytest.fixture(params=["right", "wrong name", "expired", "unknown authority", "self-signed", "plain"])
def listener(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[tuple[str, Listener]]:
    certificates: dict[str, Callable[[], trustme.LeafCert | None]] = {
        "right": lambda: authority.issue_cert(HOST),
        "wrong name": lambda: authority.issue_cert("elsewhere.example"),
        "expired": lambda: authority.issue_cert(HOST, not_before=LONG_AGO, not_after=YESTERDAY),
        "unknown authority": lambda: trustme.CA().issue_cert(HOST),
        "self-signed": lambda: trustme.CA(organization_name=HOST).issue_cert(HOST),
        "plain": lambda: None,
    }
    with Listener(certificates[request.param]()) as listener:
        yield request.param, listener


SENTENCES: Final = {
    "wrong name": "IP address mismatch|doesn't match",
    "expired": "certificate has expired",
    "unknown authority": "unable to get local issuer certificate",
    "self-signed": "self-signed certificate|unable to get local issuer",
    "plain": "(?i)wrong.version.number|record.layer.failure|packet.length",
}


async def test_a_broker_that_cannot_prove_who_it_is_hears_nothing(
    listener: tuple[str, Listener], trusted: Path
) -> None:
    kind, somebody = listener
    address = Address(f"amqps://user:secret@{HOST}:{somebody.port}/?cacertfile={trusted}")
    if kind == "right":  # who is no broker, but may hear the first words
        with pytest.raises(BrokerUnreachable):
            await _open(address)
        assert somebody.heard.startswith(b"AMQP")
        return

    with pytest.raises(AccessRefused, match=SENTENCES[kind]) as caught:
        await _open(address)

    assert str(caught.value).startswith(f"no trust in amqps://{HOST}:{somebody.port}: ")
    assert "\n" not in str(caught.value)
    assert kind != "plain" or "it does not speak TLS" in str(caught.value)
    assert somebody.heard == b""


async def test_a_management_api_that_cannot_prove_who_it_is_gets_no_password(
    listener: tuple[str, Listener], trusted: Path
) -> None:
    kind, somebody = listener
    where = f"https://{HOST}:{somebody.port}"
    management = Management(Address(f"amqps://user:secret@{HOST}/?cacertfile={trusted}", management=where))
    if kind == "right":
        with pytest.raises(BrokerUnreachable):
            await management.alarms()
        assert b"Authorization: Basic" in somebody.heard
        return

    with pytest.raises(BrokerError, match=SENTENCES[kind]) as caught:
        await management.alarms()

    assert where in str(caught.value)
    assert "\n" not in str(caught.value)
    assert somebody.heard == b""


async def test_without_a_file_the_systems_authorities_are_trusted_alone(authority: trustme.CA) -> None:
    with Listener(authority.issue_cert(HOST)) as somebody:
        with pytest.raises(AccessRefused, match="no trust in"):
            await _open(Address(f"amqps://{HOST}:{somebody.port}/?cacertfile="))
        where = f"https://{HOST}:{somebody.port}"
        with pytest.raises(BrokerError, match="unable to get local issuer"):
            await Management(Address(f"amqp://{HOST}/", management=where)).alarms()
    assert somebody.heard == b""


async def _open(address: Address) -> None:
    async with connect(address):
        pass


@pytest.mark.parametrize(
    "option",
    [
        "verify=verify_none",
        "verify_peer=false",
        "ssl_options=None",
        "ssl_options={'protocol': 2}",
        "ssl_options={'verify_mode': 0}",
        "fail_if_no_peer_cert=false",
        "server_name_indication=disable",
        "tcp_options={}",
    ],
)
def test_no_option_of_an_address_switches_verification_off(option: str) -> None:
    name = option.partition("=")[0]
    with pytest.raises(UsageError, match=f"has the option '{name}'.*always verified"):
        Address(f"amqps://user:secret@{HOST}/?{option}")
    with pytest.raises(UsageError, match=f"has the option '{name}'"):
        Address(f"amqps://user:secret@{HOST}/?cacertfile=a&{option}")


def test_the_command_says_so_in_one_line(tmp_path: Path) -> None:
    with Listener(trustme.CA().issue_cert(HOST)) as somebody, Place(tmp_path) as place:
        place.environment["WARRENER_BROKER"] = f"amqps://user:secret@{HOST}:{somebody.port}"
        done = place.warrener("doctor")
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("warrener: no trust in amqps://")
