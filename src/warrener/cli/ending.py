"""How verbs end: errors as one sentence and an exit code."""

from __future__ import annotations

import asyncio
import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from click.exceptions import Exit as End

from warrener.cli.printing import say
from warrener.errors import BrokerError, ClusterError, NotReady, UsageError, WarrenerError
from warrener.exit_codes import Exit

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

T = TypeVar("T")

# Seconds. Python searches what was loaded by then no more for garbage, of which there is none in it: with many tasks on their
# way it did so again and again, for a tenth of the time.
_ALL_LOADED_AFTER: Final = 0.5


def finish(main: Coroutine[Any, Any, T]) -> T:
    """Run a verb to its end; its errors become one sentence and an exit code."""
    with guarded():
        return run(main)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a verb in an event loop of its own."""

    async def begun() -> T:
        asyncio.get_running_loop().call_later(_ALL_LOADED_AFTER, gc.freeze)
        return await main

    return asyncio.run(begun())


@contextmanager
def guarded() -> Any:
    """Turn our errors into one sentence and an exit code."""
    try:
        yield
    except UsageError as error:
        raise failed(f"{error}", Exit.USAGE) from None
    except (BrokerError, ClusterError) as error:
        raise failed(f"{error}", Exit.BROKER) from None
    except NotReady as error:
        raise failed(f"{error}", Exit.STOPPED) from None
    except WarrenerError as error:
        raise failed(f"{error}", Exit.FAILED) from None
    except KeyboardInterrupt:
        raise failed("interrupted", Exit.INTERRUPTED) from None


@contextmanager
def told() -> Iterator[None]:
    """Say our errors as one sentence each, and go on: for what is done when it is known already how all has ended."""
    try:
        yield
    except WarrenerError as error:
        say(f"warrener: {error}")


def failed(sentence: str, code: int) -> End:
    """The end of a verb that could not do its work: raise it."""
    say(f"warrener: {sentence}")
    return End(code)
