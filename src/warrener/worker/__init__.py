"""The worker: a supervisor that talks to the broker, and children that run handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warrener.worker.manifest import AppManifest, ChildSettings


async def describe(app: str | ChildSettings) -> AppManifest:
    """The handlers of an app and their rules, read in a process of its own; no broker is needed.

    Args:
        app: As `warrener.loader.load` takes it, or with the settings that a worker would run it with.

    Raises:
        AppError: The app cannot be used.
    """
    from warrener.worker.manifest import ChildSettings
    from warrener.worker.pool import Pool

    pool = Pool(ChildSettings(app=app) if isinstance(app, str) else app, processes=0)
    try:
        return await pool.start()
    finally:
        await pool.stop()
