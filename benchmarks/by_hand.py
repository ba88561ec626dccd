"""What is written by hand on pika to publish and to work as safely as Warren does: `by_hand.py publish|work URL N`.

It is the yardstick: every message persistent and confirmed, every result confirmed before its task is acknowledged.
"""

import json
import sys
import time
from typing import Any

import pika

QUEUE = "by-hand"


def publish(channel: Any, tasks: int) -> None:
    channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
    channel.queue_declare(f"{QUEUE}.results", durable=True, arguments={"x-queue-type": "quorum"})
    channel.confirm_delivery()
    properties = pika.BasicProperties(delivery_mode=2)
    for n in range(tasks):
        body = json.dumps({"id": f"task-{n:07}", "type": "noop", "data": {"n": n}, "priority": 5})
        channel.basic_publish("", QUEUE, body.encode(), properties, mandatory=True)


def work(channel: Any, tasks: int) -> None:
    channel.confirm_delivery()
    channel.basic_qos(prefetch_count=100)
    properties = pika.BasicProperties(delivery_mode=2)
    for done, (method, _, body) in enumerate(channel.consume(QUEUE), 1):
        task = json.loads(body)
        row = json.dumps({"task_id": task["id"], "value": task["data"]["n"]})
        channel.basic_publish("", f"{QUEUE}.results", row.encode(), properties, mandatory=True)
        channel.basic_ack(method.delivery_tag)
        if done == tasks:
            return


def main() -> None:
    verb, url, tasks = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        start = time.monotonic()
        {"publish": publish, "work": work}[verb](connection.channel(), tasks)
        print(tasks / (time.monotonic() - start))


main()
