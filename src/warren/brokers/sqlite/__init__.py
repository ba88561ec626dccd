"""The embedded broker."""

from warren.brokers.sqlite.broker import SqliteBroker

__all__ = ["SqliteBroker"]
