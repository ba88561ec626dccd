"""Celery: quorum queue, publisher confirms, late acks, no results; prefork with two processes."""

from celery import Celery

from benchmarks.marks import mark
from benchmarks.work import enqueue_with, url

QUEUE = "celery"

app = Celery(broker=url())
app.conf.update(
    task_default_queue_type="quorum",
    broker_transport_options={"confirm_publish": True},
    worker_prefetch_multiplier=128,  # enough that no process waits for the broker
    task_acks_late=True,
    task_ignore_result=True,
    worker_send_task_events=False,
    worker_enable_remote_control=False,
    broker_connection_retry_on_startup=True,
    worker_detect_quorum_queues=True,
)


@app.task
def noop(n: str) -> str:
    mark(n)
    return n


def main() -> None:
    with app.producer_or_acquire() as producer:  # one connection for all

        def enqueue(n: str) -> None:
            noop.apply_async((n,), producer=producer)

        enqueue_with(enqueue)
