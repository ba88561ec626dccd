"""What a worker says it does: for people, and for programs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tests.batch import APP

if TYPE_CHECKING:
    from tests.place import Place


def test_work_says_what_it_does(place: Place) -> None:
    _publish(place)
    said = _work(place)
    begins = next(line.split(" INFO ")[1] for line in said if " INFO " in line)
    assert re.match(
        r"takes tasks of queue 'work-queue' on .*, 64 at a time; types: after, .*, \.\.\.$", begins
    )
    failed = sorted(line.split(" WARNING ")[1] for line in said if " WARNING " in line)
    assert failed[0] == "task 'bad' (permanent_by_type) failed after 1 attempt, permanent: KeyError: 'never'"
    assert failed[1].startswith("task 'strange' (nobody's) failed, unknown-type: InvalidTask: no handler")
    assert re.search(r"drained after [\d.]+ s: 2 tasks completed, 1 tried again, 2 failed$", said[-1])
    assert not any("'good'" in line for line in said)


def test_verbose_it_names_each_attempt_and_as_json_all_that_is_known_of_it(place: Place) -> None:
    _publish(place)
    said = [json.loads(line) for line in _work(place, "--verbose", "--log-format", "json")]
    attempts = {(line["task_id"], line["outcome"]): line for line in said if "outcome" in line}
    assert {name: line["attempt"] for name, line in attempts.items()} == {
        ("good", "completed"): 1,
        ("late", "delayed"): 1,
        ("late", "completed"): 2,
        ("bad", "failed"): 1,
        ("strange", "failed"): 0,
    }
    late = attempts["late", "delayed"]
    assert (late["type"], late["level"], late["delay"]) == ("fail_until", "INFO", 0.05)
    assert {"time", "message", "worker", "duration", "error", "error_message", "started_at"} <= late.keys()
    assert attempts["bad", "failed"]["reason"] == "permanent"

    place.warrener("publish", place.tasks([{"id": "loud", "type": "shout"}]))
    done = place.warrener(
        "work", "--exec", "printf '\\033[31mred\\n' >&2; echo 1", "--shell", "--drain", "--log-format", "json"
    )
    printed = [line for line in map(json.loads, done.stderr.splitlines()) if line["level"] == "PRINT"]
    assert [(line["task_id"], line["message"]) for line in printed] == [("loud", "\x1b[31mred")]

    done = place.warrener("work", "nowhere.py", "--log-format", "json")
    assert done.returncode == 78
    assert json.loads(done.stderr)["message"] == "app file 'nowhere.py' does not exist"


def _publish(place: Place) -> None:
    gate = str(place.path / "gate")
    place.warrener(
        "publish",
        place.tasks(
            [
                {"id": "good", "type": "echo", "data": {"number": 1}},
                {"id": "late", "type": "fail_until", "data": {"file": gate, "times": 1}},
                {"id": "bad", "type": "permanent_by_type"},
                {"id": "strange", "type": "nobody's"},
            ]
        ),
    )


def _work(place: Place, *options: str) -> list[str]:
    done = place.warrener("work", APP, "--drain", "--processes", "2", *options)
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()
