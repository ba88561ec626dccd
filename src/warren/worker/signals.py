"""What signals are called."""

from __future__ import annotations

import signal


def signal_name(number: int) -> str:
    """A signal's name; its number where it has none, as most real-time signals."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
