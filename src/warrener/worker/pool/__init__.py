"""The children as the supervisor sees them: who runs what, who is overdue, who died of what.

The pool never decides what becomes of a task; it tells its owner.
"""

from warrener.worker.pool.attempt import RunningAttempt
from warrener.worker.pool.limits import TICK
from warrener.worker.pool.owner import Owner
from warrener.worker.pool.pool import Pool

__all__ = ["TICK", "Owner", "Pool", "RunningAttempt"]
