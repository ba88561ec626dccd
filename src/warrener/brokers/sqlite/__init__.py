"""The embedded broker."""

from warrener.brokers.sqlite.broker import SqliteBroker

__all__ = ["SqliteBroker"]
