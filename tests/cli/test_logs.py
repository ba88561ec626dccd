"""`warrener logs`: what tasks have printed, as it was printed."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.batch import PATIENCE
from tests.place import WARRENER

if TYPE_CHECKING:
    from tests.place import Place

APP = """
import os, sys, time
from pathlib import Path
from warrener import App

app = App(retries=1, base=0.01)

@app.task
def say(name: str) -> None:
    print(name, "says", flush=True)
    sys.stdout.buffer.write(b"\\xff\\x1b[2J\\n")
    if name == "bad":
        print("no end", end="")
        raise ValueError(name)
    if name == "slow":
        while not Path("go").exists():
            time.sleep(0.01)
        print("slow has ended")
"""


def test_logs_are_kept_and_written(place: Place) -> None:
    (place.path / "app.py").write_text(APP)
    tasks = place.tasks(
        [{"id": name, "type": "say", "data": {"name": name}} for name in ("good", "bad", "slow")]
    )
    running = place.begin("run", "app.py", tasks, "--processes", "3", "--keep-logs")
    follow = [*WARRENER, "logs", "slow", "-f", "--queue", "tasks"]
    first = b""
    while not first:  # until the queue is there
        with subprocess.Popen(
            follow, cwd=place.path, env=place.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as following:
            assert following.stdout
            first = following.stdout.readline()
            if first:
                assert first == b"slow says\n"
                (place.path / "go").touch()
                rest = following.stdout.read()
    assert rest == b"\xff\x1b[2J\nslow has ended\n"
    assert running.end() == 1, running.said

    def written(*words: str) -> tuple[int, bytes]:
        done = subprocess.run(
            [*WARRENER, "logs", *words], cwd=place.path, env=place.environment, capture_output=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    attempt = b"bad says\n\xff\x1b[2J\nno end\n"
    assert written("bad") == (0, attempt + attempt + b"attempt 2:\n")
    led = b"".join(b"bad | " + line + b"\n" for line in attempt.splitlines())
    assert written("--failed") == (0, led + led)
    code, all_of_them = written()
    assert (code, len(all_of_them.splitlines())) == (0, 3 + 3 + 2 + 3)
    assert b"nothing is kept that task 'nope'" in written("nope")[1]

    assert place.warrener("setup", "--queue", "other").returncode == 0
    assert b"queue 'other' keeps no logs: give --keep-logs" in written("x", "--queue", "other")[1]
