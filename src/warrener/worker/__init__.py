"""The worker: a supervisor that talks to the broker, and children that run handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warrener.worker.frames import Hello


async def describe(app: str) -> Hello:
    """The handlers of an app and their rules, read in a process of its own.

    Raises:
        AppError: The app cannot be used.
    """
    from warrener.worker.frames import ChildSettings
    from warrener.worker.pool import Pool

    pool = Pool(ChildSettings(app=app), processes=0)
    try:
        return await pool.start()
    finally:
        await pool.stop()
