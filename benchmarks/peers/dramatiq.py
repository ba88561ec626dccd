"""Dramatiq: publisher confirms, no results; two processes. Its queues are quorum as the virtual host's default says."""

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from benchmarks.marks import mark
from benchmarks.work import enqueue_with, url

QUEUE = "default"

broker = RabbitmqBroker(url=url(), confirm_delivery=True)
dramatiq.set_broker(broker)


@dramatiq.actor
def noop(n: str) -> None:  # a value without a place for results would be logged each time
    mark(n)


def main() -> None:
    broker.declare_queue(QUEUE, ensure=True)
    enqueue_with(noop.send)
