"""Whom to trust at an address."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from warrener.errors import UsageError

if TYPE_CHECKING:
    from warrener.address import Address


def tls_context(address: Address) -> ssl.SSLContext:
    """What verifies who answers there.

    Raises:
        UsageError: The file with the authority's certificates cannot be read.
    """
    try:
        return ssl.create_default_context(cafile=address.authority)
    except OSError as error:  # ssl.SSLError is one, too
        raise UsageError(f"certificates cannot be read from {address.authority}: {error.strerror}") from error
