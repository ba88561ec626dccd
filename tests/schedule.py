"""Which tests run one after the other in one process: those that share what takes seconds to make, such as a RabbitMQ of their own.

All others go to whichever process is free, one at a time. xdist's own `--dist loadgroup` does not work with pytest 9.2.
"""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadScopeScheduling

# The beginnings of node ids, a group each. What is not listed here costs time, but works.
GROUPS: Final = (
    (  # a RabbitMQ that may be broken
        "tests/rabbitmq/test_commands.py",
        "tests/rabbitmq/test_consumer_timeout.py",
        "tests/rabbitmq/test_limits.py",
        "tests/rabbitmq/test_operator.py",
        "tests/rabbitmq/test_restarts.py",
    ),
    ("tests/chaos/test_chaos.py::test_on_rabbitmq",),
    ("tests/chaos/test_nodes.py",),
    ("tests/kubernetes/test_install.py",),
    ("tests/kubernetes/test_users.py",),
    ("tests/packaging/",),
    ("tests/rabbitmq/test_looking.py",),
    ("tests/security/test_parts.py",),
    ("tests/security/test_terminal.py",),
    ("tests/sqlite/test_clock.py",),
    ("tests/sqlite/test_disk.py", "tests/sqlite/test_faults.py", "tests/sqlite/test_killed.py"),
    ("tests/web/test_page",),  # a browser
)


class Scheduler(LoadScopeScheduling):  # type: ignore[misc] # xdist does not say that it has annotations
    """One test at a time, or one group, the largest first."""

    def _split_scope(self, nodeid: str) -> str:
        """The name of a test's group."""
        return next((group[0] for group in GROUPS if nodeid.startswith(group)), nodeid)
