"""Commands before a real RabbitMQ: users at set-up, an address in a file, TLS, and a worker that only looks."""

from __future__ import annotations

import json
import ssl
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pika
import pytest
import trustme

from tests.batch import APP, drain, publish, results, task
from tests.operator import Operator
from tests.place import Place
from warrener.address import Address
from warrener.brokers import connect
from warrener.brokers.rabbitmq.access import ROLES, permissions
from warrener.errors import AccessRefused, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.rabbitmq_server import RabbitMQ

VHOST = "jobs"


@pytest.fixture
def queue() -> str:
    return f"test.{uuid.uuid4().hex[:8]}"


@pytest.fixture
def place(tmp_path: Path, server: RabbitMQ, queue: str) -> Place:
    """Its broker's address is in a file, as pods have it."""
    place = Place(tmp_path)
    (tmp_path / "url").write_text(f"{server.url}\n")
    place.environment |= {
        "WARRENER_BROKER": f"file:{tmp_path}/url",
        "WARRENER_MANAGEMENT": server.management_url,
        "WARRENER_QUEUE": queue,
    }
    return place


@pytest.fixture
def users(tmp_path: Path, queue: str) -> Path:
    """A directory as the set-up Job's pod mounts it."""
    for part in ROLES:
        (tmp_path / "users" / part).mkdir(parents=True)
        for file, text in {"username": f"{queue}-{part}", "password": f"p/{part}\n", "vhost": VHOST}.items():
            (tmp_path / "users" / part / file).write_text(text)
    return tmp_path / "users"


def test_setup_makes_users_with_exactly_their_rights(
    place: Place, users: Path, server: RabbitMQ, queue: str
) -> None:
    for _ in range(2):  # harmless when all is there
        done = place.warrener("setup", APP, "--users", str(users))
        assert done.returncode == 0, done.stderr
        assert f"queue {queue!r} on amqp://127.0.0.1:" in done.stderr

    operator = Operator(server.url, server.management_url)
    granted = {
        row["user"]: (row["configure"], row["write"], row["read"])
        for row in operator.get("vhosts", VHOST, "permissions")
    }
    tags = {row["name"]: tuple(row["tags"]) for row in operator.get("users")}
    administrator = urlsplit(server.url).username or ""
    own = {user: may for user, may in granted.items() if user.startswith(f"{queue}-")}
    assert own == {f"{queue}-{part}": tuple(may)[:3] for part, may in permissions(queue).items()}
    assert {part: tags[f"{queue}-{part}"] for part in ROLES} == {
        part: may.tags for part, may in permissions(queue).items()
    }
    assert granted[administrator] == (".*", ".*", ".*")
    for part in ROLES:
        pika.BlockingConnection(pika.URLParameters(as_part(server, queue, part))).close()
        with pytest.raises(pika.exceptions.AMQPConnectionError):
            pika.BlockingConnection(pika.URLParameters(as_part(server, queue, part).replace(VHOST, "%2F")))


def as_part(server: RabbitMQ, queue: str, part: str) -> str:
    return f"amqp://{queue}-{part}:p%2F{part}@127.0.0.1:{urlsplit(server.url).port}/{VHOST}"


async def test_what_setup_made_carries_a_batch(
    place: Place, users: Path, server: RabbitMQ, queue: str
) -> None:
    assert place.warrener("setup", APP, "--users", str(users)).returncode == 0

    def run(part: str, *words: str) -> str:
        (place.path / "url").write_text(as_part(server, queue, part))
        done = place.warrener(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("producer", "publish", place.tasks([{"type": "echo", "id": "a", "data": {"number": 1}}]))
    run("worker", "work", APP, "--drain", "--processes", "1")
    assert json.loads(run("collector", "results"))["value"] == [1, ""]
    run("collector", "failures", "list")
    assert json.loads(run("watcher", "status", "--json"))["completed"] == 1


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (
            lambda users: (users / "worker" / "password").unlink(),
            "worker/password cannot be read: No such file",
        ),
        (
            lambda users: (users / "worker" / "vhost").write_text("other"),
            "the users are for different virtual hosts: jobs, other",
        ),
    ],
)
def test_a_directory_of_users_that_is_wrong(place: Place, users: Path, spoil: object, sentence: str) -> None:
    assert callable(spoil)
    spoil(users)

    done = place.warrener("setup", "--users", str(users))

    assert done.returncode == 2
    assert sentence in done.stderr


def test_setup_needs_an_administrator_for_users(
    place: Place, users: Path, server: RabbitMQ, queue: str
) -> None:
    assert place.warrener("setup", "--users", str(users)).returncode == 0
    (place.path / "url").write_text(as_part(server, queue, "setup"))

    done = place.warrener("setup", "--users", str(users))

    assert done.returncode == 3
    assert f"refuses this to user '{queue}-setup', who needs the tag 'administrator'" in done.stderr


def test_an_address_in_a_file(place: Place) -> None:
    done = place.warrener("setup")
    assert done.returncode == 0, done.stderr
    assert "file:" not in done.stderr

    done = place.warrener("doctor", "--broker", "file:nowhere")
    assert done.returncode == 2
    assert "the broker's address cannot be read from nowhere: No such file or directory" in done.stderr


def test_a_check_says_which_delays_an_app_needs(place: Place) -> None:
    assert place.warrener("setup", APP).returncode == 0
    place.warrener("publish", place.tasks([{"type": "echo"}]))

    done = place.warrener("work", APP, "--check")

    assert done.returncode == 0, done.stderr
    delays = json.loads(done.stdout)["delays"]
    assert delays == sorted(delays)
    assert 50 in delays
    assert json.loads(place.warrener("status", "--json").stdout)["ready"] == 1  # it took no task


def test_a_check_of_a_worker_that_can_never_work(place: Place, server: RabbitMQ) -> None:
    (place.path / "broken.py").write_text("import nosuchmodule\n")

    missing = place.warrener("work", APP, "--check")
    assert missing.returncode == 78
    assert "does not exist on amqp://" in missing.stderr

    assert place.warrener("setup").returncode == 0
    broken = place.warrener("work", "broken.py", "--check")
    assert broken.returncode == 78
    assert "does not import: No module named 'nosuchmodule'" in broken.stderr
    assert broken.stdout == ""

    (place.path / "url").write_text(server.url.replace(urlsplit(server.url).password or "", "wrong"))
    refused = place.warrener("work", APP, "--check")
    assert refused.returncode == 78
    assert "wrong name or password" in refused.stderr


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    return tmp_path / "ca.crt"


def over_tls(server: RabbitMQ, queue: str, trust: object = "") -> Address:
    query = f"?cacertfile={trust}" if trust else ""
    return Address(server.tls_url + query, queue, server.management_url)


async def test_a_batch_over_tls(server: RabbitMQ, queue: str, trusted: Path) -> None:
    address = over_tls(server, queue, trusted)
    await publish(address, [task("echo", f"t{n}", number=n) for n in range(100)])
    await drain(address)

    assert {row["task_id"] for row in await results(address)} == {f"t{n}" for n in range(100)}


async def test_tls_trusts_nobody_unasked(server: RabbitMQ, queue: str, tmp_path: Path) -> None:
    with pytest.raises(AccessRefused, match=r"no trust in amqps://127.0.0.1:\d+: .*(issuer|self-signed)"):
        async with connect(over_tls(server, queue)):
            pass
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.crt")
    with pytest.raises(AccessRefused, match="no trust in"):
        async with connect(over_tls(server, queue, tmp_path / "other.crt")):
            pass


async def test_tls_looks_at_the_hosts_name(server: RabbitMQ, queue: str, trusted: Path) -> None:
    address = over_tls(server, queue, trusted)
    elsewhere = Address(address.broker.replace("127.0.0.1", "localhost"), queue)

    with pytest.raises(AccessRefused, match=r"no trust in amqps://localhost.*Hostname mismatch"):
        async with connect(elsewhere):
            pass


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_an_authority_that_cannot_be_read(
    server: RabbitMQ, queue: str, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "file"
    if content:
        file.write_text(content)

    with pytest.raises((UsageError, ssl.SSLError), match=f"certificates cannot be read from {file}"):
        async with connect(over_tls(server, queue, file)):
            pass
