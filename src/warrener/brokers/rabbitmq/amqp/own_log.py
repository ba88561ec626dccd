"""What pika logs of our connections goes nowhere: what goes wrong is raised."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import Final

is_ours: Final[ContextVar[bool]] = ContextVar("is_ours", default=False)
"""Set wherever pika works for one of our connections."""


class _OthersOnly(logging.Filter):
    """Keeps out of pika's log what it says of our connections, and nothing that the host's program does with pika."""

    def filter(self, _: logging.LogRecord) -> bool:
        return not is_ours.get()


def be_quiet() -> None:
    """Add the filter to all of pika's loggers that there are; to be called once pika is imported."""
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "pika"]:
        logging.getLogger(name).addFilter(_OthersOnly())
