"""Tasks of a source that are not published, as a queue's journal tells: who published it may have been killed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warrener.errors import AccessRefused, BrokerUnreachable
from warrener.journal import read_journal
from warrener.turns import SignsOfLife

if TYPE_CHECKING:
    from warrener.brokers import Broker

_WAY_ON: Final = "run the same command again"


class Unpublished:
    """What is not published of the one source of a queue; nothing where there are several, or its producers keep no journal.

    It is true where some are not, and where nobody knows, since nobody has read the source to its end.

    Args:
        broker: An open broker.
    """

    def __init__(self, broker: Broker) -> None:
        self.count = self.total = 0
        """How many tasks, at least, of how many, at the last look; 0 where only reading the source tells."""
        self._known = 0
        self._has_unknown_rest = False
        self._broker = broker
        self._signs = SignsOfLife()
        self._were_over = False

    def __bool__(self) -> bool:
        return self.count > 0 or self._has_unknown_rest

    async def are_over(self, known: int, *, have_ended: bool) -> bool:
        """Whether none of them will come: to be asked at each look, at the second in a row that says so it is true.

        Somebody who publishes and says nothing for some seconds is taken for dead.

        Args:
            known: As `look` takes it.
            have_ended: Whether all that was published was seen to have ended; what came just after is seen by the next look.
        """
        were_over, self._were_over = self._were_over, have_ended and await self.look(known)
        return were_over and self._were_over

    async def look(self, known: int) -> bool:
        """Count them; whether nobody publishes them at this moment.

        Args:
            known: How many tasks the queue has, or had: those that wait, rows and failures.
        """
        try:
            journal = await read_journal(self._broker)
        except AccessRefused:
            return True
        except BrokerUnreachable:  # nobody knows at the moment
            return False
        self._signs.hear(journal.publishing())
        self.total = journal.total or 0
        self.count = journal.unpublished(known)
        self._known, self._has_unknown_rest = known, journal.has_unknown_rest
        return not (self and self._signs.are_there)

    def __str__(self) -> str:
        are_there = self._signs.are_there
        if self._has_unknown_rest:
            is_one, tasks = self._known == 1, _tasks(self._known)
            what = "published, but not to the end of the source"
            not_yet, never = f"{what} yet", what
        else:
            is_one, tasks = self.count == 1, f"{self.count:,} of {_tasks(self.total)}"
            not_yet, never = "not published yet", "never published"
        if are_there:
            return f"{tasks} {'is' if is_one else 'are'} {not_yet}; if no run is at it any more, {_WAY_ON}"
        return f"{tasks} {'was' if is_one else 'were'} {never}: {_WAY_ON}"


def _tasks(count: int) -> str:
    return f"{count:,} task{'' if count == 1 else 's'}"
