"""Whether there is what the page's server needs."""

from __future__ import annotations

from warrener.errors import UsageError
from warrener.extras import missing


def check_installed() -> None:
    """See that it is there.

    Raises:
        UsageError: It is not.
    """
    try:
        import starlette  # noqa: F401 - to see that they are there
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UsageError(missing("the page needs", "web")) from error
