"""TaskIQ on aio-pika: quorum queue, confirms of 1,000 messages awaited at a time, no results; two processes."""

import uvloop
from taskiq_aio_pika import AioPikaBroker

from benchmarks.marks import mark
from benchmarks.peers.concurrently import concurrently
from benchmarks.work import tell, url

QUEUE = "taskiq"

broker = AioPikaBroker(url(), qos=200)


@broker.task
async def noop(n: str) -> str:
    mark(n)
    return n


async def enqueue() -> None:
    await broker.startup()
    tell(await concurrently(noop.kiq))
    await broker.shutdown()


def main() -> None:
    uvloop.run(enqueue())
