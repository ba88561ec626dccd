"""What keeps workers from taking tasks, in a sentence with the way out."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warrener.orders import Cancelled, Hold, Paused


def held_by(order: Paused | Cancelled | Hold) -> str:
    """Who ordered it, and when."""
    return f"by {order.by} at {datetime.fromtimestamp(order.at).astimezone():%Y-%m-%d %H:%M:%S}"


def hold_text(hold: Hold, resume: str) -> str:
    """What holds.

    Args:
        hold: What.
        resume: The command that lifts it.
    """
    why = f", since {hold.limit}" if hold.limit else ""
    way = "lets it go on" if hold.what == "paused" else "takes that back"
    return f"{hold.what} {held_by(hold)}{why}; `{resume}` {way}"


def types_text(types: tuple[str, ...]) -> str:
    """Which types are cancelled."""
    return (
        f"tasks of type {', '.join(map(repr, types))} are cancelled: each ends as failed, without being run"
    )
