"""The broker in memory, for tests: queues that live as long as this process."""

from warrener.brokers.memory.broker import MemoryBroker
from warrener.brokers.memory.queue import Entry, Queue

__all__ = ["Entry", "MemoryBroker", "Queue"]
