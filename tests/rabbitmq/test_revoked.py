"""Users, virtual hosts and limits that an operator takes away from those who use them."""

from __future__ import annotations

import subprocess
import uuid
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import pytest

from tests.batch import APP, drain, failures, publish, results, task, until_written
from tests.place import Place, children
from warrener.address import Address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.operator import Operator

SECRET: Final = "quite-a-secret"
# Each way is tried among the long tests; two of them are quick, and differ most.
DEEDS: Final = [
    "clear permissions",
    "delete vhost",
    *(pytest.param(deed, marks=pytest.mark.long) for deed in ("change password", "delete user")),
]


class Tenant:
    """A user with a virtual host of their own, as long as it lasts."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.name = f"tenant-{uuid.uuid4().hex[:8]}"
        self.address = self.reached_by(self.name, SECRET)
        # Who reads what became of it all.
        root = operator.url
        self.owner = self.reached_by(root.username or "", root.password or "")

    def reached_by(self, user: str, password: str) -> Address:
        host = self.operator.url.netloc.rpartition("@")[2]
        return Address(f"amqp://{user}:{password}@{host}/{self.name}", "q", self.operator.management_url)

    def settle(self) -> None:
        self.operator.put("vhosts", self.name)
        self.set_password(SECRET)
        for user in (self.name, self.owner.credentials[0]):
            self.operator.put("permissions", self.name, user, configure=".*", write=".*", read=".*")

    def set_password(self, password: str) -> None:
        # With the tag, or a worker waits for what may be hidden.
        self.operator.put("users", self.name, password=password, tags="management")

    def close_connections(self) -> None:
        self.operator.delete("connections", "username", self.name)

    def lose(self, deed: str) -> None:
        if deed == "clear permissions":
            self.operator.delete("permissions", self.name, self.name)
        elif deed == "change password":
            self.set_password("another")
        elif deed == "delete user":
            self.operator.delete("users", self.name)
        else:
            self.operator.delete("vhosts", self.name)
        if deed in ("clear permissions", "change password"):
            self.close_connections()

    def leave(self) -> None:
        self.operator.delete("vhosts", self.name)
        self.operator.delete("users", self.name)


@pytest.fixture
def tenant(operator: Operator) -> Iterator[Tenant]:
    tenant = Tenant(operator)
    tenant.settle()
    yield tenant
    tenant.leave()


@pytest.mark.parametrize("deed", DEEDS)
async def test_worker_that_is_let_in_no_more_is_unfit_and_its_tasks_are_done_by_another(
    tenant: Tenant, tmp_path: Path, deed: str
) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    messages = [task("wait_for", f"w{n}", 9, file=str(gate), log=str(log)) for n in range(2)]
    messages += [task("echo", f"t{n}") for n in range(20)]
    await publish(tenant.owner, messages)
    with Place(tmp_path, tenant.address) as place:
        worker = place.begin("work", APP, "--processes", "2", "--concurrency", "1", is_fresh=True)
        await until_written(log, 2)
        fork_server = children(worker.process.pid)
        running = [child for each in fork_server for child in children(each)]
        tenant.lose(deed)

        assert worker.end() == 78, worker.said
        sentence = worker.said.splitlines()[-1]
        assert sentence.startswith("warrener: amqp://127.0.0.1:")
        assert f"to user '{tenant.name}'" in sentence or f"user '{tenant.name}': wrong name or" in sentence
        assert SECRET not in worker.said
        assert "Traceback" not in worker.said
        assert [pid for pid in (*fork_server, *running) if _is_alive(pid)] == []
    gate.touch()
    if deed == "delete vhost":
        return

    await drain(tenant.owner, is_patient=True)

    rows = {row["task_id"]: row for row in await results(tenant.owner)}
    assert set(rows) == {message.id for message in messages}
    # They were lost with a connection, which looks like a worker that was killed.
    assert [rows[f"w{n}"]["attempts"] for n in range(2)] == [2, 2]
    assert [each["error"] for n in range(2) for each in rows[f"w{n}"]["history"]] == ["WorkerLost"] * 2
    assert await failures(tenant.owner) == {}


@pytest.mark.parametrize("deed", DEEDS)
async def test_publisher_that_is_let_in_no_more_says_where_to_go_on(
    tenant: Tenant, tmp_path: Path, deed: str
) -> None:
    with Place(tmp_path, tenant.address) as place:
        publisher = place.begin("publish", "-", stdin=subprocess.PIPE)
        stdin = publisher.process.stdin
        assert stdin
        stdin.write(b'{"type": "echo"}\n' * 10)
        stdin.flush()
        await publisher.says("10 confirmed")
        tenant.lose(deed)
        with suppress(BrokenPipeError):  # it may have ended already
            stdin.write(b'{"type": "echo"}\n' * 10)
            stdin.close()

        assert publisher.end() == 3, publisher.said
        *_, go_on, sentence = publisher.said.splitlines()
        assert go_on.startswith("10 tasks are confirmed; go on with: warrener publish - --start-line 11")
        assert sentence.startswith("warrener: amqp://127.0.0.1:")
        assert SECRET not in publisher.said


@contextmanager
def limited(tenant: Tenant, which: str) -> Iterator[None]:
    """No further connection meanwhile, and those that are there are closed."""
    limit = (f"{which}-limits", tenant.name, "max-connections")
    tenant.operator.put(*limit, value=0)
    try:
        tenant.close_connections()
        yield
    finally:
        tenant.operator.delete(*limit)


@pytest.mark.parametrize("which", ["user", "vhost"])
async def test_limit_on_connections_is_waited_for(tenant: Tenant, tmp_path: Path, which: str) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    await publish(tenant.owner, [task("wait_for", "t", file=str(gate), log=str(log))])
    with Place(tmp_path, tenant.address) as place:
        worker = place.begin("work", APP, "--processes", "1", "--drain")
        await until_written(log, 1)
        with limited(tenant, which):
            await worker.says("connecting again")
            newcomer = place.begin("work", APP, "--processes", "1", "--drain")
            await newcomer.says("accepts no more connections or channels: ")
            assert "connection limit (0) is reached; trying again" in newcomer.said
            status = place.warrener("status")
            assert status.returncode == 3
            assert "accepts no more connections or channels: " in status.stderr
            gate.touch()
        assert worker.end() == 0, worker.said
        assert newcomer.end() == 0, newcomer.said

    assert [row["task_id"] for row in await results(tenant.owner)] == ["t"]
    assert await failures(tenant.owner) == {}


def test_limit_on_queues_is_named_at_setup(tenant: Tenant, tmp_path: Path) -> None:
    tenant.operator.put("vhost-limits", tenant.name, "max-queues", value=3)
    with Place(tmp_path, tenant.address) as place:
        done = place.warrener("setup")

    assert done.returncode == 3
    assert "queue limit in vhost" in done.stderr
    assert "(3) is reached" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def _is_alive(pid: int) -> bool:
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], check=False, capture_output=True, text=True)
    return bool(found.stdout) and not found.stdout.startswith("Z")
