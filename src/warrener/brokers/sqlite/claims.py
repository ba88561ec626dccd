"""What a worker holds in the file of an embedded queue: claims under a lease, settled and made in turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warrener.brokers.protocol import DELIVERY_BACKSTOP, Completed, Delayed, Delivery
from warrener.brokers.sqlite import beats, clock
from warrener.codec import decode_record, encode_record
from warrener.trace_context import packed

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from warrener.brokers.protocol import Outcome
    from warrener.brokers.sqlite.file import File

LEASE: Final = 10.0
# Another program may have written what it likes into a column, and SQLite lets it.
MESSAGE: Final = "seq, CAST(body AS BLOB), CAST(id AS TEXT), CAST(priority AS INTEGER), CAST(record AS BLOB)"
_LOST: Final = f"min(max(CAST(lost AS INTEGER), 0), {DELIVERY_BACKSTOP + 1})"


class Claims:
    """The claims of one worker; for the thread that writes the file.

    Args:
        file: Where they are.
    """

    def __init__(self, file: File) -> None:
        self.beat: bytes | None = None
        """What is to be told, and was not yet."""
        self._file = file
        self._worker = 0
        self._renewed = -LEASE

    def turn(
        self, outcomes: list[tuple[int, Outcome | None]], requeued: list[int], room: int
    ) -> tuple[bool, list[Delivery]]:
        """One transaction: settle, requeue, keep the lease, claim. Tells if the lease had ended before."""
        is_due = self._is_renewal_due()
        if not (outcomes or requeued or is_due or (room and self._is_work_due(clock.now()))):
            return False, []
        with self._file.transaction() as db:
            # Only now, when nobody else can write: this process may have been stopped for long before.
            now, is_due = clock.now(), self._is_renewal_due()
            worker, was_lost, beat = self._worker, False, self.beat
            if is_due:
                self._mind_the_boot(db)
                worker, was_lost = self._renew(db, now)
                # Whose own lease has ended renews first: what kept it from that may have kept others, who live.
                if now - self._renewed <= LEASE or not self._worker:
                    self._bring_back_lost(db, now)
                if beat is not None:
                    beats.write(db, worker, now, beat)
            self._settle(db, worker, outcomes, now)
            self._return(db, worker, requeued)
            claimed = self._claim(db, worker, room, now) if room else []
        # Only now, when it is written: a number that was rolled back may become somebody else's.
        self._worker = worker
        if is_due:
            self._renewed = now
            if self.beat is beat:
                self.beat = None
        return was_lost, claimed

    def give_up(self, told: Collection[int]) -> None:
        """Give back all that this worker owns, and be no worker any more.

        Args:
            told: The tags of what somebody had been given and did not end, which counts as lost. What was claimed and
                nobody was told of does not.
        """
        if not self._worker:
            return
        with self._file.transaction() as db:
            mine = db.execute(
                "SELECT seq FROM tasks INDEXED BY processing WHERE state = 2 AND owner = ?", (self._worker,)
            ).fetchall()
            self._return(db, self._worker, [seq for (seq,) in mine if seq not in told])
            self._count_lost(db, "owner = ?", self._worker)
            db.execute("DELETE FROM workers WHERE id = ?", (self._worker,))
        self._worker = 0

    def _is_renewal_due(self) -> bool:
        # With each beat, which costs nothing more then; and without any.
        return self.beat is not None or clock.now() - self._renewed > LEASE / 4

    def _is_work_due(self, now: float) -> bool:
        """A look without a write, so that an idle worker costs nothing."""
        query = (
            "SELECT EXISTS (SELECT 1 FROM tasks WHERE state = 0)"
            " OR EXISTS (SELECT 1 FROM tasks INDEXED BY delayed WHERE state = 1 AND due <= ?)"
        )
        return bool(self._file.db.execute(query, (now,)).fetchone()[0])

    def _mind_the_boot(self, db: sqlite3.Connection) -> None:
        """Times are of one start of the machine. After another one no lease holds, and what was delayed is due."""
        if db.execute("PRAGMA user_version").fetchone() != (clock.boot_number(),):
            db.execute("DELETE FROM workers")
            db.execute("UPDATE tasks SET due = 0 WHERE state = 1")
            db.execute(f"PRAGMA user_version = {clock.boot_number()}")

    def _renew(self, db: sqlite3.Connection, now: float) -> tuple[int, bool]:
        """This worker's number, and whether it is a new one because the lease of the former was lost."""
        row = (now + LEASE, self._worker)
        if self._worker and db.execute("UPDATE workers SET lease = ? WHERE id = ?", row).rowcount:
            return self._worker, False
        worker = db.execute("INSERT INTO workers (lease) VALUES (?)", (now + LEASE,)).lastrowid or 0
        return worker, bool(self._worker)

    def _bring_back_lost(self, db: sqlite3.Connection, now: float) -> None:
        self._count_lost(db, "owner NOT IN (SELECT id FROM workers WHERE lease >= ?)", now)
        db.execute("DELETE FROM workers WHERE lease < ?", (now,))

    def _count_lost(self, db: sqlite3.Connection, whose: str, value: float) -> None:
        """Give back what these owners have, once too often to be tried again where that is so."""
        returned = db.execute(
            f"UPDATE tasks INDEXED BY processing SET state = 0, owner = NULL, lost = lost + 1 WHERE state = 2 AND {whose}"  # noqa: S608 - these are no values
            f" RETURNING seq, CAST(record AS BLOB), {_LOST}",
            (value,),
        ).fetchall()
        for seq, record, lost in returned:
            if lost > DELIVERY_BACKSTOP:
                failed = decode_record(record).add_lost(lost).fail("crashed")
                self._move_to_failures(db, seq, encode_record(failed))

    def _return(self, db: sqlite3.Connection, worker: int, tags: list[int]) -> None:
        db.executemany(
            "UPDATE tasks SET state = 0, owner = NULL WHERE seq = ? AND owner = ?",
            [(tag, worker) for tag in tags],
        )

    def _settle(
        self, db: sqlite3.Connection, worker: int, outcomes: list[tuple[int, Outcome | None]], now: float
    ) -> None:
        for tag, outcome in outcomes:
            # A claim that was lost meanwhile is somebody else's now: an old copy must not settle it.
            mine = (tag, worker)
            if outcome is None:
                db.execute("DELETE FROM tasks WHERE seq = ? AND owner = ?", mine)
            elif isinstance(outcome, Completed):
                if db.execute("DELETE FROM tasks WHERE seq = ? AND owner = ?", mine).rowcount:
                    db.execute("INSERT INTO results (body) VALUES (?)", (outcome.body,))
            elif isinstance(outcome, Delayed):
                db.execute(
                    "UPDATE tasks SET state = 1, owner = NULL, lost = 0, due = ?, record = ?"
                    " WHERE seq = ? AND owner = ?",
                    (now + outcome.delay / 1000, encode_record(outcome.record), *mine),
                )
            elif db.execute("SELECT 1 FROM tasks WHERE seq = ? AND owner = ?", mine).fetchone():
                self._move_to_failures(db, tag, encode_record(outcome.record))

    def _move_to_failures(self, db: sqlite3.Connection, seq: int, record: bytes) -> None:
        db.execute(
            "INSERT INTO failures (id, body, priority, record, trace)"
            " SELECT id, body, priority, ?, trace FROM tasks WHERE seq = ?",
            (record, seq),
        )
        db.execute("DELETE FROM tasks WHERE seq = ?", (seq,))

    def _claim(self, db: sqlite3.Connection, worker: int, room: int, now: float) -> list[Delivery]:
        # By that index, which SQLite does not choose by itself: the other one has all that are delayed.
        db.execute(
            "UPDATE tasks INDEXED BY delayed SET state = 0, due = NULL WHERE state = 1 AND due <= ?", (now,)
        )
        rows = db.execute(
            "UPDATE tasks SET state = 2, owner = ? WHERE seq IN"  # noqa: S608 - these are no values
            " (SELECT seq FROM tasks WHERE state = 0 ORDER BY priority DESC, seq LIMIT ?)"
            f" RETURNING {MESSAGE}, {_LOST}, CAST(published AS REAL), CAST(trace AS TEXT)",
            (worker, room),
        ).fetchall()
        rows.sort(key=lambda row: (-row[3], row[0]))  # RETURNING keeps no order
        return [
            Delivery(
                body,
                message_id,
                priority,
                record,
                lost,
                seq,
                published_at=published,
                trace=trace_of(trace),
                is_again=lost > 0,
            )
            for seq, body, message_id, priority, record, lost, published, trace in rows
        ]


def trace_of(column: str | None) -> str:
    """The trace that lies beside a task; none where it is no possible one."""
    return packed(*(column.split(" ", 1))) if column else ""
