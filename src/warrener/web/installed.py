"""Whether there is what the page's server needs."""

from __future__ import annotations

from warrener.errors import UsageError


def check_installed() -> None:
    """See that it is there.

    Raises:
        UsageError: It is not.
    """
    try:
        import starlette  # noqa: F401 - to see that they are there
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UsageError("the page needs the extra `web`: pip install 'warrener[web]'") from error
