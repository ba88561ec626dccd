"""FastStream: quorum queue, persistent, confirms of 1,000 messages awaited at a time, acked after success; two processes."""

import uvloop
from faststream import AckPolicy, FastStream
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue

from benchmarks.marks import mark
from benchmarks.peers.concurrently import concurrently
from benchmarks.work import tell, url

QUEUE = "faststream"

queue = RabbitQueue(QUEUE, queue_type=QueueType.QUORUM)
broker = RabbitBroker(url(), default_channel=Channel(prefetch_count=200), logger=None)
app = FastStream(broker)


@broker.subscriber(queue, ack_policy=AckPolicy.NACK_ON_ERROR)
async def noop(n: str) -> str:
    mark(n)
    return n


async def enqueue() -> None:
    await broker.connect()  # not start(), which would work, too
    await broker.declare_queue(queue)

    tell(await concurrently(lambda n: broker.publish(n, queue, persist=True)))
    await broker.stop()


def main() -> None:
    uvloop.run(enqueue())
