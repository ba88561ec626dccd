"""tarsk on AMQP, whose broker client and supervisor are Rust: confirms of 256 messages awaited at a time, no results; two processes.

Its queues are classic ones, since it says so itself.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tarsk import App

from benchmarks.marks import mark
from benchmarks.work import due, tell, timed, url

QUEUE = "tarsk:bench"
AT_A_TIME = 256  # `send` waits for its confirm: with one thread it is ten times slower

app = App(broker=url())


@app.task(queue="bench")
def noop(n: str) -> None:
    mark(n)


def enqueue() -> None:
    tasks, turn = due(), threading.Lock()

    def some(_: int) -> None:
        while True:
            with turn:
                text, at = next(tasks, ("", 0.0))
            if not text:
                return
            if (left := at - time.time()) > 0:
                time.sleep(left)
            noop.send(text)

    with ThreadPoolExecutor(AT_A_TIME) as threads:
        for _ in threads.map(some, range(AT_A_TIME)):
            pass


def main() -> None:
    tell(timed(enqueue))
