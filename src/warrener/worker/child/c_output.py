"""C's own buffer of stdout, which Python's streams know nothing of."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMES: Final = ("stdout", "__stdoutp")  # on Linux, on macOS
_BY_LINE: Final = 1  # _IOLBF


def printed_by_line() -> Callable[[], object]:
    """Have C print each line as it ends from now on, and not when the process ends; what prints a line without an end."""
    c = ctypes.CDLL(None)
    for name in _NAMES:
        try:
            stdout = ctypes.c_void_p.in_dll(c, name)
        except ValueError:
            continue
        c.setvbuf(stdout, None, _BY_LINE, ctypes.c_size_t(0))
        flush = c.fflush
        flush.argtypes = [ctypes.c_void_p]
        address = stdout.value
        return lambda: flush(address)
    return lambda: None
