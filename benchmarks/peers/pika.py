"""A bare pika loop: the least that Python must do for the same promise.

`enqueue` publishes with pipelined confirms. `work` publishes a result for each task, and acknowledges when that is
confirmed, all pipelined. No retries, no failures, no reconnection, no handler in a process of its own.
"""

import itertools
import json
import signal
import sys
import time
from typing import Any

import pika

from benchmarks.marks import mark
from benchmarks.work import count, tasks, tell, url

QUEUE = "bare"
RESULTS = "bare.results"
WINDOW = 1000
PERSISTENT = pika.BasicProperties(delivery_mode=2)


class Enqueuing:
    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._tasks = tasks(count())
        self._unconfirmed = Unconfirmed()
        self._start = time.perf_counter()
        channel.confirm_delivery(self._on_confirm, callback=lambda _: self._send())

    def _send(self) -> None:
        for body in itertools.islice(self._tasks, WINDOW - len(self._unconfirmed)):
            self._unconfirmed.add(0)
            self._channel.basic_publish("", QUEUE, body, PERSISTENT, mandatory=True)

    def _on_confirm(self, frame: Any) -> None:
        self._unconfirmed.take(frame.method)
        if len(self._unconfirmed) <= WINDOW // 2:
            self._send()
        if not self._unconfirmed:
            tell(time.perf_counter() - self._start)
            self._channel.connection.close()


class Working:
    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._unconfirmed = Unconfirmed()
        channel.confirm_delivery(self._on_confirm)
        channel.basic_qos(prefetch_count=WINDOW)
        channel.basic_consume(QUEUE, self._on_delivery)

    def _on_delivery(self, channel: Any, method: Any, _properties: Any, body: bytes) -> None:
        task = json.loads(body)
        row = json.dumps({"task_id": task["id"], "value": task["data"]["n"]})
        self._unconfirmed.add(method.delivery_tag)
        channel.basic_publish("", RESULTS, row.encode(), PERSISTENT, mandatory=True)

    def _on_confirm(self, frame: Any) -> None:
        for delivery in self._unconfirmed.take(frame.method):
            self._channel.basic_ack(delivery)
            mark()


class Unconfirmed(dict[int, int]):
    """What was published and is not confirmed, by its number, with what it is the result of."""

    def __init__(self) -> None:
        super().__init__()
        self._sent = itertools.count(1)
        self._first = 1

    def add(self, delivery: int) -> None:
        self[next(self._sent)] = delivery

    def take(self, confirm: Any) -> list[int]:
        tag = confirm.delivery_tag
        if not confirm.multiple:
            return [self.pop(tag)]
        tags = range(self._first, tag + 1)
        self._first = tag + 1
        return [self.pop(n) for n in tags if n in self]


def main() -> None:
    role = {"enqueue": Enqueuing, "work": Working}[sys.argv[1]]

    def declare(channel: Any) -> None:
        channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        results = {"x-queue-type": "stream"}  # what Warrener has
        channel.queue_declare(RESULTS, durable=True, arguments=results, callback=lambda _: role(channel))

    connection = pika.SelectConnection(
        pika.URLParameters(url()),
        on_open_callback=lambda opened: opened.channel(on_open_callback=declare),
        on_close_callback=lambda closed, _: closed.ioloop.stop(),
    )
    # Told to stop, it writes out what it has acknowledged.
    signal.signal(signal.SIGTERM, lambda *_: connection.ioloop.add_callback_threadsafe(connection.close))
    connection.ioloop.start()
