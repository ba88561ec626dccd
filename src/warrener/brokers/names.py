"""The names of the objects that one queue owns on its broker."""

from __future__ import annotations

import re

import msgspec


class Names(msgspec.Struct, frozen=True):
    """What belongs to the queue called `queue`; the work queue and the exchange into it share its name."""

    queue: str

    @property
    def outcomes(self) -> str:
        """The exchange that workers publish to."""
        return f"{self.queue}.outcomes"

    @property
    def results(self) -> str:
        """The stream of results."""
        return f"{self.queue}.results"

    @property
    def packed(self) -> str:
        """The stream that has those messages of the results which have many rows, by which these are counted.

        On RabbitMQ the exchange that leads to this stream and to that of the results has the same name.
        """
        return f"{self.queue}.results.packed"

    @property
    def failed(self) -> str:
        """The queue of failed tasks."""
        return f"{self.queue}.failed"

    @property
    def control(self) -> str:
        """The exchange that orders are published to."""
        return f"{self.queue}.control"

    @property
    def beats(self) -> str:
        """The exchange that workers tell by what they run."""
        return f"{self.queue}.beats"

    def log(self, name: str) -> str:
        """The stream of one of the journal's logs."""
        return f"{self.queue}.{name}"

    @property
    def journal(self) -> str:
        """The stream in which is written what the queue was given."""
        return f"{self.queue}.journal"

    def delay(self, milliseconds: int) -> str:
        """The queue in which tasks wait for so long."""
        return f"{self.queue}.delay.{milliseconds}"

    def delay_of(self, name: str) -> int | None:
        """The milliseconds of one of this queue's retry delays, by its name; None if it is none."""
        match = re.fullmatch(re.escape(self.queue) + r"\.delay\.(\d+)", name)
        return int(match[1]) if match else None
