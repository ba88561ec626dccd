"""What `warrener run` says at its end."""

from __future__ import annotations

import pytest

from warrener.address import EMBEDDED, Address
from warrener.cli.items import Items
from warrener.cli.run import report
from warrener.exit_codes import Exit
from warrener.local_run import Ended
from warrener.rows import Summary


@pytest.mark.parametrize(
    ("rows", "failures", "what"),
    [
        (0, 1, "1 failure"),
        (2, 0, "2 rows"),
        (2, 1, "2 rows and 1 failure"),
    ],
)
def test_only_what_there_is_is_left_out(
    rows: int, failures: int, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = Ended(Exit.OK, Summary(completed=1), 0, False, rows, failures)

    report(ended, Address(EMBEDDED, "q"), Items("app.py", "handler", ("a",)), "rows.jsonl", is_shared=False)

    assert f"left out: {what} on this queue" in capsys.readouterr().err
