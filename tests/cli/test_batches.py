"""`warrener batches` lists what can be read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.place import Place


def test_batches_are_listed_although_another_file_is_damaged(place: Place) -> None:
    tasks = place.tasks([{"type": "echo", "id": f"t{n}"} for n in range(2)])
    for queue in ("one", "two"):
        assert place.warrener("publish", tasks, "--queue", queue).returncode == 0
    listed = place.warrener("batches")
    assert listed.returncode == 0
    assert [line.split()[:5] for line in listed.stdout.splitlines()[1:]] == [
        ["two", "waiting", "2", "0", "0"],
        ["one", "waiting", "2", "0", "0"],
    ]

    (place.path / ".warrener" / "damaged.db").write_bytes(b"no database" * 1000)

    listed = place.warrener("batches", "--json")
    assert listed.returncode == 3
    assert [json.loads(line)["name"] for line in listed.stdout.splitlines()] == ["two", "one"]
    assert "2 batches on .warrener" in listed.stderr
    assert "damaged.db is no SQLite database, or a damaged one" in listed.stderr
