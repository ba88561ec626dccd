"""A broker's password is nowhere but where its user has put it."""

from __future__ import annotations

import asyncio
import base64
import sys
import uuid
from contextlib import closing
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

import pytest

from tests.batch import APP, eventually, publish, results, task
from tests.place import WARRENER, Place, children
from warrener.address import Address
from warrener.brokers.rabbitmq.management import Management
from warrener.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD: Final = "s3cret@/:?#[]%&=+ \u00e9"
WAYS: Final = ["environment", "file", "argument"]


def forms(user: str) -> list[str]:
    """Every form in which a password could lie about."""
    token = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
    return [PASSWORD, quote(PASSWORD), quote(PASSWORD, safe=""), token, "s3cret"]


@pytest.fixture
def user(rabbit_address: Address) -> Iterator[str]:
    """An administrator's name, whose password has every special character."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    management = Management(rabbit_address)

    async def make() -> None:
        await management.put(f"users/{name}", {"password": PASSWORD, "tags": "administrator"})
        all_ = {"configure": ".*", "write": ".*", "read": ".*"}
        await management.put(f"permissions/{quote(rabbit_address.vhost, safe='')}/{name}", all_)

    with closing(management):
        asyncio.run(make())
        yield name
        management._ask(f"users/{name}", "DELETE")


@pytest.fixture
def url(rabbit_address: Address, user: str) -> str:
    url = urlsplit(rabbit_address.broker)
    return url._replace(netloc=f"{user}:{quote(PASSWORD, safe='')}@{url.hostname}:{url.port}").geturl()


def let_learn(place: Place, way: str, url: str) -> list[str]:
    """Let commands learn the broker's address in this way; the words that it takes."""
    if way == "argument":
        place.environment.pop("WARRENER_BROKER", None)
        return ["--broker", url]
    (place.path / "url").write_text(url)
    place.environment["WARRENER_BROKER"] = url if way == "environment" else "file:url"
    return []


def traces(pid: int, user: str, what: str) -> list[str]:
    """The forms of the password that are in a file of a process."""
    found = Path(f"/proc/{pid}/{what}").read_bytes().decode(errors="replace")
    return [form for form in forms(user) if form in found]


def descendants(pid: int) -> list[int]:
    return [found for child in children(pid) for found in (child, *descendants(child))]


COMMAND: Final = """\
import json, os, sys, time
data = json.loads(sys.stdin.read())["data"]
open(data["log"], "w").write(f"{os.getpid()}\\n")
while not os.path.exists(data["file"]):
    time.sleep(0.01)
print("null")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    ("way", "what"),
    [
        ("environment", "app"),
        ("environment", "command"),
        ("file", "app"),
        ("argument", "command"),
        pytest.param("file", "command", marks=pytest.mark.long),
        pytest.param("argument", "app", marks=pytest.mark.long),
    ],
)
async def test_no_process_that_a_worker_starts_knows_the_password(
    rabbit_place: Place, url: str, way: str, what: str, user: str
) -> None:
    place, words = rabbit_place, let_learn(rabbit_place, way, url)
    (place.path / "command.py").write_text(COMMAND)
    go, log = place.path / "go", place.path / "log"
    await publish(place.address, [task("wait_for", "a", file=str(go), log=str(log))])
    runs = [APP] if what == "app" else ["--exec", f"{sys.executable} command.py"]
    worker = place.begin("work", *runs, "--drain", "--processes", "1", *words, is_fresh=True)

    async def runs_a_task() -> bool:
        assert worker.process.poll() is None, worker.said
        return log.exists() and bool(log.read_text())

    await eventually(runs_a_task)
    started = descendants(worker.process.pid)
    assert int(log.read_text()) in started
    assert len(started) >= (2 if what == "app" else 3)
    for pid in started:
        assert not traces(pid, user, "environ")
        assert not traces(pid, user, "cmdline")
    is_argument = bool(words)
    assert bool(traces(worker.process.pid, user, "cmdline")) == is_argument  # the user's own word
    go.touch()
    assert worker.end() == 0
    assert not [form for form in forms(user) if form in worker.said]
    assert [row["task_id"] for row in await results(place.address)] == ["a"]


CRASHING: Final = """
import os
from pathlib import Path

from warrener import App, PermanentError

app = App(retries=0)


@app.task
def crash() -> None:
    words = Path("/proc/self/cmdline").read_text() if Path("/proc/self/cmdline").exists() else ""
    raise PermanentError(f"{dict(os.environ)} {words}")


@app.task
def show() -> str:
    return str(dict(os.environ))
"""


VERBS: Final = (
    ["setup"],
    ["run", "crashing.py", "tasks.jsonl", "-o", "out.jsonl"],
    ["status"],
    ["status", "--json"],
    ["doctor"],
    ["results"],
    ["failures", "list"],
    ["failures", "show", "a"],
    ["failures", "export"],
    ["failures", "retry"],
    ["work", "nosuchapp", "--drain"],
    ["work", "crashing.py", "--drain", "--processes", "1"],
    ["publish", "nosuchfile"],
    ["publish", "tasks.jsonl", "--queue", "a/b"],
    ["results", "--queue", "none"],
    ["status", "--help"],
    ["status", "--nosuch"],
    ["purge", "--yes"],
    ["delete", "--yes"],
)


@pytest.mark.parametrize(
    "ways",
    [
        pytest.param(WAYS, id="each in turn"),
        *(pytest.param([way], id=way, marks=pytest.mark.long) for way in WAYS),
    ],
)
def test_no_command_says_the_password(rabbit_place: Place, url: str, ways: list[str], user: str) -> None:
    place = rabbit_place
    (place.path / "crashing.py").write_text(CRASHING)
    place.tasks([{"type": "crash", "id": "a"}, {"type": "show", "id": "b"}])
    said = ""
    for verb, way in zip(VERBS, cycle(ways), strict=False):
        words = [*verb, *let_learn(place, way, url)]
        looks = "crashing.py" in words  # at its command line, which a forked one has not from us
        done = place.run(*WARRENER, *words) if looks else place.warrener(*words)
        said += done.stdout + done.stderr
        assert "Traceback" not in done.stderr
    said += (place.path / "out.jsonl").read_text()
    assert "PermanentError" in said
    assert not [form for form in forms(user) if form in said]


def test_refusals_do_not_say_the_password(rabbit_place: Place, url: str, user: str) -> None:
    for address in (
        url.replace(user, "nobody"),
        url.removesuffix("%2F") + "nosuchvhost",
        url.replace("127.0.0.1", "localhost.invalid"),
        url.replace("amqp:", "amqps:"),
    ):
        rabbit_place.environment["WARRENER_BROKER"] = address
        for verb in (["status"], ["doctor"]):
            done = rabbit_place.warrener(*verb)
            assert done.returncode == 3
            assert "Traceback" not in done.stderr
            assert not [form for form in forms("nobody") + forms(user) if form in done.stderr + done.stdout]


@pytest.mark.parametrize("special", list("/?#@:[]%&=+ ;,\\\"'\t\n\u2100\u00e9"))
@pytest.mark.parametrize("first", ["alpha", "1234"])
def test_a_password_that_was_not_encoded_is_not_repeated(special: str, first: str) -> None:
    for password in (
        f"{first}{special}bravo",
        f"{first}{special}",
        f"{special}bravo",
        f"{first}@{special}bravo",
    ):
        for rest in ("host", "host:5672/vhost", "host:port/vhost", "[host"):
            try:
                address = Address(f"amqp://user:{password}@{rest}")
            except UsageError as error:
                told = str(error)
                assert "amqp://USER:PASSWORD@HOST" in told or "%XX" in told or "option" in told
            else:
                told = f"{address.shown} {address.flags()} {address.management_url}"
            assert "bravo" not in told
            assert first not in told


def test_a_management_address_with_a_password_is_refused() -> None:
    with pytest.raises(UsageError, match="without user and password") as caught:
        Address("amqp://host", management="http://user:s3cret@host:15672")
    assert "s3cret" not in str(caught.value)


def test_what_can_be_pasted_is_quoted() -> None:
    """A file's name ends in commands that are proposed to the user."""
    assert Address("sqlite:a; rm b.db").flags() == " --broker 'sqlite:a; rm b.db'"
    assert "s3cret" not in Address("amqp://u:s3cret@host").flags()
