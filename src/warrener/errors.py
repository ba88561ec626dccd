"""Every error that leaves Warrener, drawn by what a caller does about it.

WarrenerError
|-- UsageError            what was asked cannot be done: mend the input (exit 2)
|   |-- InvalidTask       a line or a message that is no valid task
|   |-- QueueTaken        the queue holds another batch
|   `-- AppError          the app does not import, or has no handlers
|-- BrokerError           the broker cannot do it now, or not for us (exit 3)
|   |-- BrokerUnreachable nobody answers, or the connection was lost
|   |-- AccessRefused     the broker refuses the credentials or the permission
|   |-- QueueMissing      the queue was never set up
|   |-- QueueMismatch     the queue exists with other arguments
|   |-- NotConfirmed      tasks were not confirmed in time
|   `-- MessageTooLarge   a message is over the broker's size limit
|-- ClusterError          the cluster cannot do it now, or not for us (exit 3)
|   |-- ClusterUnreachable nobody answers, or the connection was lost
|   |-- ClusterRefused    the cluster refuses the credentials, the permission or the object
|   |-- ObjectMissing     the object, or its kind, is not in the cluster
|   |-- ObjectConflict    the object exists, or others manage what we want to set
|   `-- ObjectInvalid     the cluster finds the object wrong
|-- NotReady              what the app needs before its first task is away (exit 75)
`-- TasksFailed           a batch that Python ran has ended, and not all of its tasks have completed

TransientError, PermanentError, Stopped   raised by handlers, never by Warrener
SoftTimeout   raised in handlers
"""

from __future__ import annotations


class WarrenerError(Exception):
    """Base of every error that Warrener raises. Its text is one sentence for people."""


class UsageError(WarrenerError):
    """What was asked for cannot be done; the text says why and what to do instead."""


class InvalidTask(UsageError):  # noqa: N818 - reads as what it is
    """A line of a file or a message of a queue that is no valid task."""


class QueueTaken(UsageError):  # noqa: N818
    """The queue holds another batch.

    Args:
        fact: Whose, and whose batch it was to hold.
        ways_out: What to do instead, one of these.
    """

    def __init__(self, fact: str, *ways_out: str) -> None:
        *others, last = ways_out
        super().__init__(f"{fact}: {', '.join([*others, f'or {last}'])}")
        self.fact = fact
        self.ways_out = ways_out


class AppError(UsageError):
    """An app that cannot be imported, or that has nothing to run."""


class BrokerError(WarrenerError):
    """The broker cannot do what was asked."""


class BrokerUnreachable(BrokerError):  # noqa: N818
    """Nobody answers at the broker's address, or the connection was lost."""


class AccessRefused(BrokerError):  # noqa: N818
    """The broker refuses the credentials, or this user may not do this."""


class QueueMissing(BrokerError):  # noqa: N818
    """The queue does not exist on this broker."""


class QueueMismatch(BrokerError):  # noqa: N818
    """The queue exists with other arguments than the wanted ones."""


class NotConfirmed(BrokerError, TimeoutError):  # noqa: N818
    """The broker did not confirm all tasks in time; it may have them all the same.

    Args:
        sentence: How many, and what to do.
        confirmed: How many were confirmed.
    """

    def __init__(self, sentence: str, confirmed: int) -> None:
        super().__init__(sentence)
        self.confirmed = confirmed


class MessageTooLarge(BrokerError):  # noqa: N818
    """A message is larger than the broker takes.

    Args:
        sentence: Which, and what to do instead.
        limit: How many bytes it takes.
    """

    def __init__(self, sentence: str, limit: int) -> None:
        super().__init__(sentence)
        self.limit = limit


class ClusterError(WarrenerError):
    """The cluster cannot do what was asked."""


class ClusterUnreachable(ClusterError):  # noqa: N818
    """Nobody answers at the API server's address, or the connection was lost."""


class ClusterRefused(ClusterError):  # noqa: N818
    """The cluster refuses the credentials, this user may not do this, or a rule forbids the object."""


class ObjectMissing(ClusterError):  # noqa: N818
    """The object does not exist, or the cluster does not know its kind."""


class ObjectConflict(ClusterError):  # noqa: N818
    """The object exists already, has changed meanwhile, or has fields that someone else manages."""


class ObjectInvalid(ClusterError):  # noqa: N818
    """The cluster finds something wrong with the object."""


class NotReady(WarrenerError):  # noqa: N818
    """What the app's lifespans need is away: nothing could begin to work for half a minute. Start again later."""


class TasksFailed(WarrenerError):  # noqa: N818
    """A batch has ended, and not all of its tasks have completed. The rows of the others are there.

    Args:
        sentence: How many, and where to look.
        failed: How many have failed.
        missing: How many have neither a row nor a failure, those among them that were cancelled.
    """

    def __init__(self, sentence: str, failed: int, missing: int) -> None:
        super().__init__(sentence)
        self.failed = failed
        self.missing = missing


class TransientError(Exception):
    """Raise it in a handler to have the task tried again later.

    Every other exception is retried too; this one can choose its own delay.

    Args:
        message: What went wrong, for the attempt's history.
        after: Seconds to wait before the next attempt; by default the task's own back-off.
            The queue's nearest longer delay is used (see `warrener.retry`).
    """

    def __init__(self, message: str = "", *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class PermanentError(Exception):
    """Raise it in a handler when trying again cannot help: the task fails at once."""


class Stopped(Exception):  # noqa: N818 - reads as what is the case
    """Raise it in a handler to leave where `attempt.is_stopping`: the task is requeued, and this was no attempt.

    Where no stop was asked for, it fails the attempt as any other exception.
    """


class SoftTimeout(Exception):  # noqa: N818
    """A handler's soft time limit has passed. Unless the handler makes something else of it, the attempt fails and is retried."""
