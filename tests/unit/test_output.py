"""What a child prints, cut anywhere on its way, is found to be whose it is."""

from __future__ import annotations

import os
import threading
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_pool import a_run
from warrener.worker.child.output import Output
from warrener.worker.marking import CAPACITY, NOBODY, marked, new_mark
from warrener.worker.pool.output import ChildOutput
from warrener.worker.printer import Printer

MARK: Final = new_mark()
RUNS: Final = {key: a_run(key) for key in (1, 2, 3)}
NAMES: Final = {key: run.task.id for key, run in RUNS.items()}


class Named(str):
    """What is too large to be shown."""

    __slots__ = ()


DATA: Final = {
    "begins": MARK[:1],
    "begins more": MARK[:5],
    "end": b"\n",
    "line": b"whole\n",
    "much": (b"x" * 999 + b"\n") * (CAPACITY // 1000) + b"x" * 500,
}

pieces = st.lists(
    st.tuples(
        st.sampled_from([NOBODY, *NAMES]),
        st.one_of(st.binary(max_size=40), st.sampled_from([*DATA]).map(Named)),
    ),
    max_size=12,
)


class Shown(Printer):
    """Keeps what it is to show, by whose it is."""

    def __init__(self) -> None:
        self.keeper = None
        self.lines: dict[str, list[bytes]] = {}
        self.behind = False

    @property
    def is_behind(self) -> bool:
        return self.behind

    def show(self, label: str, lines: bytes) -> None:
        self.lines.setdefault(label, []).extend(lines.split(b"\n"))


@given(pieces)
def test_each_has_what_it_has_printed(pieces: list[tuple[int, bytes | Named]]) -> None:
    printed = [(key, DATA[data] if isinstance(data, Named) else data) for key, data in pieces]
    read, write = os.pipe()
    shown = Shown()
    output = ChildOutput(read, shown, RUNS.get)

    def run() -> None:
        os.write(write, MARK)
        for key, data in printed:
            os.write(write, marked(MARK, key))  # a mark is written at once, and may be cut when it is read
            rest = data
            while rest:
                rest = rest[os.write(write, rest) :]
        os.close(write)

    writing = threading.Thread(target=run)
    writing.start()
    while output.is_open:
        output.read()
    writing.join()

    for key, name in {**NAMES, NOBODY: ""}.items():
        whole = b"".join(data for whose, data in printed if whose == key)
        assert output.end(key) == whole[-4096:]
        assert b"\n".join(shown.lines.get(name, [])) == whole.removesuffix(b"\n")


def test_marks_alone_are_nothing_that_was_printed() -> None:
    read, write = os.pipe()
    shown = Shown()
    output = ChildOutput(read, shown, RUNS.get)

    os.write(write, MARK + marked(MARK, 1) + marked(MARK, 2))
    assert output.read() == 0
    os.write(write, b"of the second\n")
    assert output.read() == 14

    assert (output.end(1), output.end(2)) == (b"", b"of the second\n")
    os.close(write)
    output.close()


def test_child_whose_lines_nobody_takes_is_waited_for_and_one_that_prints_nothing_is_not() -> None:
    read, write = os.pipe()
    shown = Shown()
    output = ChildOutput(read, shown, RUNS.get)
    shown.behind = True

    os.write(write, MARK + marked(MARK, 1))
    output.read()
    assert not output.must_wait
    os.write(write, b"line\n")
    output.read()
    assert output.must_wait
    shown.behind = False
    assert not output.must_wait
    os.close(write)
    output.close()


def test_streams_never_refuse_text_and_stay_open() -> None:
    written = []

    class Kept(Output):
        def write(self, descriptor: int, data: bytes) -> None:
            written.append(data)

    output = Kept()
    for stream in output._streams:
        stream.close()
        print("\udcff", 1, file=stream)
        stream.writelines(["two", " parts\n"])
        stream.buffer.write(b"\xff\n")
        print("no end", end="", file=stream)
    output.end()

    assert written == 2 * [b"\\udcff 1\n", b"two parts\n", b"\xff\n"] + 2 * [b"no end"]


def test_lines_without_an_end_are_found_whatever_other_threads_begin_meanwhile() -> None:
    written = []

    class Kept(Output):
        def write(self, descriptor: int, data: bytes) -> None:
            written.append(data)

    class Key(int):
        """Whoever is compared with it is interrupted."""

        def __eq__(self, other: object) -> bool:
            thread = threading.Thread(target=begin, args=(2, "of another"))
            thread.start()
            thread.join()
            return super().__eq__(other)

        __hash__ = int.__hash__

    def begin(key: int, text: str) -> None:
        output.begin(key)
        print(text, end="", file=output._streams[0])

    output = Kept()
    output._is_shared = True
    begin(Key(1), "own")

    output.end()

    assert written == [b"own"]
