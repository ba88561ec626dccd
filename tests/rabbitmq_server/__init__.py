"""A real RabbitMQ 4.3 or later of our own, for tests, examples and benchmarks.

    with RabbitMQ() as broker:
        connect(broker.url)

    python -m tests.rabbitmq_server                # a broker until Ctrl-C
    python -m tests.rabbitmq_server -- pytest -x   # a broker for one command
    python -m tests.rabbitmq_server --in-memory -- pytest -x   # the same, waiting for no disk

Nothing outlives the Python process that started a broker, however that process ends: the broker's
processes are watched over by a shell that reads a pipe from us and kills them all when the pipe closes.
A directory that a killed process left is removed by the next start.
"""

from tests.rabbitmq_server.node import RabbitMQ
from tests.rabbitmq_server.sources import OLDEST, NoBroker

__all__ = ["OLDEST", "NoBroker", "RabbitMQ"]
