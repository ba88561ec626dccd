"""The app of the tests on a cluster."""

import os
import socket
import time
from pathlib import Path

from warrener import App

app = App(base=0.5)


@app.task
def square(n: int, seconds: float = 0.0) -> int:
    time.sleep(seconds)
    return n * n


@app.task(retries=0)
def hog(mebibytes: int) -> int:
    return len(bytearray(mebibytes * 1024 * 1024))


@app.task
def flood() -> None:
    """Have the kernel kill every process of the container at once, as it does by itself where cgroup v2 groups them.

    With cgroup v1 it kills one. Here that is process 1, since the memory belongs to no process (it is a file), and process 1
    says that it is the one to go; with it all of its PID namespace ends.
    """
    Path("/proc/1/oom_score_adj").write_text("1000")
    file = os.memfd_create("flood")
    while True:
        os.write(file, bytes(1024 * 1024))


@app.task
def reaches(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 5).close()
    except OSError:
        return False
    return True
