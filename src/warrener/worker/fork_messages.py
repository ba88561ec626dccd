"""What the fork server is asked, and what it tells: a line of JSON for each child that is forked, is not, or has ended.

A request for a child is its number, with the child's ends of its socket and of the pipe that it prints into; the answer
repeats the number.
"""

from __future__ import annotations

import os
from typing import Final

import msgspec

NUMBER_BYTES: Final = 4
"""So many bytes a request's number has."""
DESCRIPTORS: Final = 2
"""So many descriptors come with it."""


class Forked(msgspec.Struct, frozen=True, tag="forked", tag_field="what"):
    """A child is there."""

    number: int
    pid: int


class ForkFailed(msgspec.Struct, frozen=True, tag="failed", tag_field="what"):
    """The system forks no child at the moment.

    Args:
        number: The request's.
        error: The system's error number.
    """

    number: int
    error: int

    @property
    def reason(self) -> str:
        """Why, in the system's words."""
        return os.strerror(self.error)


class Exited(msgspec.Struct, frozen=True, tag="exited", tag_field="what"):
    """A child has ended.

    Args:
        pid: Its process id.
        status: Its exit code; a signal's number below zero.
    """

    pid: int
    status: int


News = Forked | ForkFailed | Exited
_news: Final[msgspec.json.Decoder[News]] = msgspec.json.Decoder(News)


def decode_news(line: bytes) -> News:
    """One line from the fork server."""
    return _news.decode(line)
