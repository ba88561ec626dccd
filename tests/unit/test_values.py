"""What values are as JSON: the table of docs/handlers.md, line by line, and what no line may break."""

from __future__ import annotations

import array
import collections
import datetime as dt
import enum
import math
import types
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypedDict

import attrs
import msgspec
import numpy as np
import pandas as pd
import pydantic
import pydantic.dataclasses
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warrener import App, Task
from warrener.codec import decode_task, encode_task
from warrener.errors import AppError, InvalidTask
from warrener.sources import read
from warrener.values.simpler import Unwritable
from warrener.values.strict_json import RepeatedKey, decode_once, decode_output
from warrener.values.writing import written
from warrener.worker.child.reports import ResultTooLarge, ResultUnwritable, encoded

if TYPE_CHECKING:
    from collections.abc import Callable


class Word(str):
    __slots__ = ()


class Count(int): ...


class Share(float): ...


class Moment(dt.datetime): ...


class Money(Decimal): ...


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 1


class Corner(enum.Enum):
    ZERO = (0, 0)


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Size:
    width: int
    _hidden: Any = None
    path: Path = Path("here")


@attrs.define
class Box:
    size: Size
    _hidden: int = 0


class Label(msgspec.Struct, rename="camel", tag="label"):
    long_name: Any


class Inner(pydantic.BaseModel):
    a: int = 1


class Open(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")


class Model(pydantic.BaseModel):
    width: int
    ratio: float = 1.0
    name: str = pydantic.Field("x", alias="Name")
    inner: list[Inner] = []
    open: Open | None = None


class Table(pydantic.BaseModel):
    rows: dict[int, list[Size]] = {}
    either: Size | Open | None = None


@pydantic.dataclasses.dataclass
class Checked:
    x: int


class Part(TypedDict, total=False):
    size: Size


@dataclass
class Node:
    nodes: list[Node] = field(default_factory=list)
    part: Part | None = None


class Odd:
    def __repr__(self) -> str:
        return "Odd(" + "x" * 5000 + ")"


class Silent:
    def __repr__(self) -> str:
        raise RuntimeError


UTC = dt.timezone.utc  # noqa: UP017 - as others write it
NOON = dt.datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, '"NaN"'),
        ([math.inf, -math.inf, None, 1.5], '["Infinity","-Infinity",null,1.5]'),
        (2**80, str(2**80)),
        ({0: "a", 2.5: "b", True: "c", None: "d"}, '{"0":"a","2.5":"b","true":"c","null":"d"}'),
        ({Word("k"): Word("v"), Color.RED: Count(3)}, '{"k":"v","red":3}'),
        ({NOON: 1, uuid.UUID(int=1): 2}, '{"2026-11-27T12:00:00Z":1,"00000000-0000-0000-0000-000000000001":2}'),
        ([Share(0.5), Color.RED, Level.HIGH, Corner.ZERO], '[0.5,"red",1,[0,0]]'),
        ((1, Point(2, 3)), "[1,[2,3]]"),
        ([{3, 1, 2}, frozenset({"b", "a"}), {1, "a"}], '[[1,2,3],["a","b"],["a",1]]'),
        ({frozenset({2}), frozenset({1})}, "[[1],[2]]"),
        ([collections.deque([1]), range(2), array.array("i", [3]), {"a": 1}.values()], "[[1],[0,1],[3],[1]]"),
        (types.MappingProxyType({"a": collections.UserDict(b=1)}), '{"a":{"b":1}}'),
        ([b"ab", bytearray(b"ab"), memoryview(b"ab")], '["YWI=","YWI=","YWI="]'),
        ([Decimal("1.50"), Money("1.5")], '["1.50","1.5"]'),
        ([NOON, NOON.date(), NOON.time(), Moment(2026, 1, 1)],
         '["2026-11-27T12:00:00Z","2026-11-27","12:00:00","2026-01-01T00:00:00"]'),
        (dt.datetime(1800, 1, 1, tzinfo=dt.timezone(dt.timedelta(seconds=3661))), '"1800-01-01T00:00:00+01:01:01"'),
        (dt.timedelta(days=1, microseconds=5), '"P1DT0.000005S"'),
        ([uuid.UUID(int=1), Path("a/b"), PurePosixPath("c")], '["00000000-0000-0000-0000-000000000001","a/b","c"]'),
        (Size(1, {1: math.nan}), '{"width":1,"_hidden":{"1":"NaN"},"path":"here"}'),
        (Box(Size(1), 2), '{"size":{"width":1,"_hidden":null,"path":"here"},"_hidden":2}'),
        (Label(Word("x")), '{"type":"label","longName":"x"}'),
        (Model(width=1, ratio=math.nan, Name="n"), '{"width":1,"ratio":"NaN","Name":"n","inner":[],"open":null}'),
        (Checked(1), '{"x":1}'),
        (msgspec.Raw(b'{"a": [1]}'), '{"a":[1]}'),
        ([np.int64(3), np.float64(0.5), np.float32(0.5), np.bool_(True), np.str_("a"), np.bytes_(b"ab")],
         '[3,0.5,0.5,true,"a","YWI="]'),
        ({np.int64(3): np.array([[1, 2], [3, 4]])}, '{"3":[[1,2],[3,4]]}'),
        (np.array([1.5, np.nan]), '[1.5,"NaN"]'),
        (np.array(["2026-01-01T00:00:00.000000001", "NaT"], "M8[ns]"), '["2026-01-01T00:00:00.000000001",null]'),
        (np.array([1, 2], "m8[s]"), '["PT1S","PT2S"]'),
        (np.array([(1, 0.5)], [("a", int), ("b", float)]), '[{"a":1,"b":0.5}]'),
        (np.array([Path("a"), None], object), '["a",null]'),
        (np.ma.array([1, 2], mask=[False, True]), "[1,null]"),
        (pd.Series([1, 2]), "[1,2]"),
        (pd.Series([1.5, math.nan], ["a", "b"]), '{"a":1.5,"b":"NaN"}'),
        (pd.DataFrame({"a": [1, 2], "b": ["x", None]}), '[{"a":1,"b":"x"},{"a":2,"b":null}]'),
        (pd.DataFrame({"k": ["x", "y", "x"], "n": [1, 2, 3]}).groupby("k").sum(), '[{"k":"x","n":4},{"k":"y","n":2}]'),
        (pd.DataFrame({"a": [1]}, ["r"]), '[{"index":"r","a":1}]'),
        ([pd.Timestamp("2026-01-01T00:00:00.000000001"), pd.NaT, pd.NA, pd.Timedelta("1s"), pd.Period("2026-01")],
         '["2026-01-01T00:00:00.000000001",null,null,"P0DT0H0M1S","2026-01"]'),
        (pd.Series(["a", None], dtype="category"), '["a",null]'),
    ],
)  # fmt: skip
def test_value_is_written_as_what_it_is(value: Any, text: str) -> None:
    assert encoded(value, 10_000).decode() == text


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({1: "a", "1": "b"}, "it has two keys that are both '1' as text"),
        ([{1: "a", Word("1"): "b"}], "`$[0]` has two keys"),
        ({"a": [1, {"b": Odd()}]}, "`$.a[1].b` is of type Odd, for which JSON has nothing"),
        ({(1, 2): 3}, "a key of type tuple"),
        (iter([1]), "list_iterator, for which JSON has nothing: make a list of it"),
        (1j, "complex"),
        (Odd, "of type type"),
        (np.array([1j]), "complex"),
        (np.longdouble(1), "which are no doubles"),
        (np.timedelta64(1, "ns"), "no whole microseconds"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns of one name"),
        (pd.Series([1, 2], ["a", "a"]), "two values of one label"),
        ([10**5000], "4300 digits"),
        ("\ud800", "no valid Unicode"),
        (msgspec.Raw(b'{"a": 1, "a": 2}'), "'a' is there twice"),
        (msgspec.Raw(b"odd"), "malformed"),
        (msgspec.Raw(b'"\\ud800"'), "DecodeError"),
        (Silent(), "of type Silent"),
    ],
)
def test_value_that_json_cannot_carry_is_refused_and_kept_as_text(value: Any, why: str) -> None:
    with pytest.raises(ResultUnwritable) as caught:
        encoded(value, 10_000)

    assert why in str(caught.value)
    assert 0 < len(caught.value.returned.encode()) <= 2048


def test_value_that_holds_itself_or_is_too_deep_or_too_large_is_refused() -> None:
    round_: list[Any] = []
    round_.append(round_)
    deep: list[Any] = []
    for _ in range(100_000):  # which no Python bears, whatever it makes of hundreds
        deep = [deep]
    for value in (round_, deep):
        with pytest.raises(ResultUnwritable, match="nests too deep"):
            encoded(value, 10_000)
    with pytest.raises(ResultTooLarge) as caught:
        encoded(["long"] * 10_000, 10_000)
    assert "'long', 'long'" in caught.value.returned


def bound(hint: Any, *values: Any, default: Any = ...) -> list[Any]:
    """What a handler with one parameter is given, after the way through a task."""

    def with_default(x: Any = default) -> None: ...
    def without(x: Any) -> None: ...

    function = without if default is ... else with_default
    function.__annotations__ = {"x": hint}
    app = App()
    app.task("t")(function)
    bodies = [encode_task(Task("t", "t", {"x": value})) for value in values]
    data = [msgspec.json.decode(body, type=dict[str, msgspec.Raw])["data"] for body in bodies]
    return [app.handlers["t"].bind("t", "t", 5, bytes(one))["x"] for one in data]


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (Path, Path("a/b")),
        (list[Path], [Path("a")]),
        (dict[str, Path | None], {"a": Path("b"), "c": None}),
        (str | Path, "a"),
        (object, [1]),
        (Iterable[int], [1, 2]),
        (collections.deque[int], collections.deque([1, 2])),
        (Word, Word("a")),
        (Count, Count(3)),
        (Share, Share(0.5)),
        (Color, Color.RED),
        (Level, Level.HIGH),
        (Point, Point(1, 2)),
        (Size, Size(1, [2], Path("x"))),
        (Box, Box(Size(1), 2)),
        (Label, Label(1)),
        (Node, Node([Node(part={"size": Size(2)})])),
        (Model, Model(width=1, Name="n", inner=[Inner(a=2)], open=Open(b=1))),  # type: ignore[call-arg]
        (list[Model] | None, [Model(width=1, Name="n")]),
        (Literal["a", 1], 1),
        (bytes, b"\xff\x00"),
    ],
)
def test_typed_value_comes_out_as_it_went_in(hint: Any, value: Any) -> None:
    (found,) = bound(hint, value)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("hint", "data", "path"),
    [
        (Size, {"width": 1, "depth": 2}, "`depth` - at `$.x`"),
        (list[Size], [{"width": 1}, {"width": 1, "depth": 2}], "`depth` - at `$.x[1]`"),
        (tuple[int, dict[str, Size]] | None, [1, {"k": {"width": 1, "z": 2}}], "`z` - at `$.x[1].k`"),
        (Part, {"sizes": 1}, "`sizes` - at `$.x`"),
        (Node, {"nodes": [{"part": {"size": {"width": 1, "z": 0}}}]}, "`z` - at `$.x.nodes[0].part.size`"),
        (Box, {"size": {"width": 1}, "z": 0}, "`z` - at `$.x`"),
        (Label, {"type": "label", "longName": 1, "z": 0}, "`z` - at `$.x`"),
        (Model, {"width": 1, "z": 0}, "`z` - at `$.x`"),
        (Table, {"rows": {"7": [{"width": 1, "z": 0}]}}, "`rows.7.0.z` - at `$.x`"),
        (Table, {"either": {"width": 1, "z": 0}}, "`either.Size.z` - at `$.x`"),
        (
            list[Model],
            [{"width": 1, "open": {"is": "free"}, "inner": [{"z": 0}]}],
            "`inner.0.z` - at `$.x[0]`",
        ),
    ],
)
def test_unknown_member_is_refused_with_its_path(hint: Any, data: Any, path: str) -> None:
    with pytest.raises(InvalidTask) as caught:
        bound(hint, data)

    assert f"unknown field {path}" in str(caught.value)


def test_half_a_character_is_told_as_what_it_is() -> None:
    def handler(x: Any) -> None: ...

    handler.__annotations__ = {"x": Any}
    app = App()
    app.task("t")(handler)
    for data in (b'{"x": "\\ud800"}', b'{"x": [{"a\\udc00 b": 1}]}', b'{"\\ud800": 1}'):
        with pytest.raises(InvalidTask, match="a lone surrogate is in it"):
            app.handlers["t"].bind("t", "t", 5, data)
        with pytest.raises(InvalidTask, match="a lone surrogate is in it"):
            decode_task(b'{"type": "t", "data": ' + data + b"}")
    with pytest.raises(InvalidTask, match=r"malformed|truncated"):
        app.handlers["t"].bind("t", "t", 5, b'{"x": "cut')


@pytest.mark.parametrize(
    ("hint", "text", "value"),
    [
        (int, "007", 7), (int, " 9", 9), (int, "-007 ", -7), (int, "+7", 7), (int, "000", 0),
        (int | None, "", None), (int | None, " ", None), (int | None, "05", 5),
        (float, "007.5", 7.5), (float, " 1e3", 1000.0), (float, "Infinity", math.inf),
        (bool, " true", True), (bool | None, "", None),
        (Decimal, " 1.50", Decimal("1.50")), (dt.date, "2026-11-27 ", dt.date(2026, 11, 27)),
        (dt.datetime | None, "", None), (uuid.UUID, f" {uuid.UUID(int=1)}", uuid.UUID(int=1)),
        (Path | None, "", None), (Count, " 05", 5), (Color, " red", Color.RED),
        (str, "007", "007"), (str, " 9", " 9"), (str, "", ""), (str | None, "", ""), (int | str, "007", "007"),
        (Any, "", ""), (bytes, "", b""),
    ],
)  # fmt: skip
def test_cell_is_read_as_what_is_wanted(hint: Any, text: str, value: Any) -> None:
    assert bound(hint, text) == [value]


def test_text_of_digits_is_no_time() -> None:
    for hint in (dt.datetime, dt.datetime | None):
        for text in ("20260131", " 1767225600", "1.5"):
            with pytest.raises(InvalidTask, match=r"text of digits alone.*2026-01-31T12:00:00Z.*`\$.x`"):
                bound(hint, text)
    assert bound(dt.datetime, 0) == [dt.datetime(1970, 1, 1, tzinfo=UTC)]


def test_empty_cell_is_missing_where_text_is_not_wanted() -> None:
    assert bound(int, "", default=200) == [200]
    assert bound(Path, "", default=Path("here")) == [Path("here")]
    assert bound(int | None, "", default=200) == [200]
    assert bound(str, "", default="x") == [""]
    for hint in (int, Path, Model, dt.date):
        with pytest.raises(InvalidTask, match=r"It is empty, and needs a value - at `\$.x`"):
            bound(hint, "")


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (int, "1_000"),
        (int, "x"),
        (int, "\N{ARABIC-INDIC DIGIT ONE}"),
        (float, "1,5"),
        (bytes, "??"),
        (Path, 3),
        (Model, {"width": "wide"}),
    ],
)
def test_text_that_only_looks_alike_is_refused(hint: Any, value: Any) -> None:
    with pytest.raises(InvalidTask):
        bound(hint, value)


@pytest.mark.parametrize(
    ("hint", "why"),
    [
        (Odd, "'x' is of type Odd, which cannot be read from JSON"),
        (list[Odd | None], "'x' is of type Odd"),
        (np.ndarray, "'x' is of type ndarray"),
        (Corner, "'x' Enums must contain"),
        (Checked, "'x' is Checked, a dataclass of pydantic"),
        (pydantic.PositiveInt, "'x' has the constraint Gt"),
        (list[Annotated[int, pydantic.Field(gt=3)]], "'x' has the constraint FieldInfo"),
        (bytes | str, "'x' Type unions may not"),
    ],
)
def test_parameter_that_cannot_be_read_is_refused_at_import(hint: Any, why: str) -> None:
    with pytest.raises(AppError) as caught:
        bound(hint)

    assert why in str(caught.value)


def test_what_cannot_be_called_with_data_is_refused_at_import() -> None:
    app = App()

    class Camera:
        def shoot(self, x: int) -> None: ...

        @staticmethod
        def still(x: int) -> int:
            return x

        def __call__(self, x: int) -> None: ...

    app.task("still")(Camera.still)
    app.task("bound")(Camera().shoot)
    refused: list[tuple[Any, str]] = [
        (Camera.shoot, "is a method of .*Camera, and no task can bring it its 'self'"),
        (Camera, "is a class"),
        (Camera(), "is a Camera and no function"),
        (classmethod(max), "is a classmethod and no function"),
        (max, "does not say what it takes"),
        (3, "is a int and no function"),
    ]
    for function, why in refused:
        with pytest.raises(AppError, match=why):
            app.task("t")(function)
    with pytest.raises(AppError, match="has no name"):
        app.task(Camera())
    assert app.handlers.keys() == {"still", "bound"}


def test_nan_in_data_is_refused_wherever_it_is() -> None:
    def handler(x: Any) -> None: ...

    app = App()
    task = app.task(handler).task
    for value in (math.nan, [{"a": math.inf}], np.array([np.nan]), pd.Series([math.nan])):
        with pytest.raises(InvalidTask, match=r"`\$\.x.*` is a NaN or an infinity: use null, or text"):
            task(value)


def test_bare_nan_in_a_commands_output_is_text() -> None:
    assert decode_output(b'{"loss": [NaN, -Infinity, 1.5, null]}') == {
        "loss": ["NaN", "-Infinity", 1.5, None]
    }
    with pytest.raises(msgspec.DecodeError):
        decode_output(b"{'loss': NaN}")
    with pytest.raises(RepeatedKey):
        decode_output(b'{"a": NaN, "a": 1}')


def test_tables_and_lines_say_the_same(tmp_path: Path) -> None:
    def handler(
        *, width: int, ratio: float | None, file: Path, day: dt.date, name: str, copies: int = 2
    ) -> None: ...

    handler.__annotations__ = {
        "width": int, "ratio": float | None, "file": Path, "day": dt.date, "name": str, "copies": int,
    }  # fmt: skip
    app = App()
    app.task("t")(handler)
    (tmp_path / "t.csv").write_text("width,ratio,file,day,name,copies\n007,,a.jpg, 2026-11-27,007,\n")
    (tmp_path / "t.jsonl").write_text(
        '{"type": "t", "data": {"width": 7, "ratio": null, "file": "a.jpg", "day": "2026-11-27", "name": "007"}}\n'
    )
    for name in ("t.csv", "t.jsonl"):
        (line,) = read(str(tmp_path / name), task_type="t")
        data = msgspec.json.decode(encode_task(line.task), type=dict[str, msgspec.Raw])["data"]
        assert app.handlers["t"].bind("", "t", 5, bytes(data)) == {
            "width": 7, "ratio": None, "file": Path("a.jpg"), "day": dt.date(2026, 11, 27), "name": "007", "copies": 2,
        }  # fmt: skip


def test_line_with_a_member_twice_is_refused(tmp_path: Path) -> None:
    for line in ('{"type": "t", "type": "u"}', '{"type": "t", "data": {"x": [{"a": 1, "\\u0061": 1}]}}'):
        for begin, end in (("", ""), ("[", "]")):
            (tmp_path / "t.jsonl").write_text(begin + line + end)
            with pytest.raises(InvalidTask, match="is there twice in one object; leave one of them out"):
                list(read(str(tmp_path / "t.jsonl")))


LONG = "x" * 2000  # what is long is looked at another way
text = st.text(st.characters(codec="utf-8"))
plain: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
    max_leaves=20,
)


@given(plain)
def test_plain_value_comes_out_as_it_went_in(value: Any) -> None:
    for whole in (value, [LONG, value], {LONG: value}):
        found = decode_once(written(whole, with_nan=False))

        assert repr(found) == repr(whole)  # which tells 1 from True and from 1.0


@pytest.mark.parametrize(
    "other", [(1, "a"), {2}, {3: "a"}, {4: "a", "5": [{None: "b"}]}, {Word("a"): 1}, b"6", math.nan]
)
def test_value_of_other_kinds_is_as_well_found_within_a_long_one(other: Any) -> None:
    short = decode_once(written(other, with_nan=True))

    assert decode_once(written([LONG, other], with_nan=True)) == [LONG, short]
    assert decode_once(written({LONG: [[other]]}, with_nan=True)) == {LONG: [[short]]}
    with pytest.raises(Unwritable, match="two keys"):
        written([LONG, {"a": other, "b": {1: 2, "1": 3}}], with_nan=True)


keys = (
    st.integers(-2, 2) | st.sampled_from(["1", "2", "null", "true", "1.5", "NaN"]) | st.floats() | st.none()
)


@given(st.dictionaries(keys | st.booleans(), st.floats() | st.sets(st.integers() | text)))
def test_no_member_of_a_dictionary_is_lost(value: dict[Any, Any]) -> None:
    try:
        body = written(value, with_nan=True)
    except Unwritable as error:
        assert "two keys" in str(error)  # noqa: PT017 - which they are is not known before
        return
    found = decode_once(body)
    assert len(found) == len(value)
    for before, after in zip(value.values(), found.values(), strict=True):
        if isinstance(before, set):
            assert {*after} == before
        else:
            assert repr(float(after)) == repr(before)


seconds = st.integers(-86_399, 86_399).map(lambda n: dt.timezone(dt.timedelta(seconds=n)))
zones = st.none() | st.just(UTC) | seconds
paths = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).map(Path)
typed: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, st.integers()),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (bool, st.booleans()),
    (str, text),
    (bytes, st.binary()),
    (Decimal, st.decimals(allow_nan=False)),
    (dt.datetime, st.datetimes(timezones=zones)),
    (dt.date, st.dates()),
    (dt.time, st.times()),
    (dt.timedelta, st.timedeltas(dt.timedelta(days=-(10**6)), dt.timedelta(days=10**6))),
    (uuid.UUID, st.uuids()),
    (Path, paths),
    (dict[int, float], st.dictionaries(st.integers(), st.floats(allow_nan=False, allow_infinity=False))),
    (set[str], st.sets(text)),
    (frozenset[int], st.frozensets(st.integers())),
    (tuple[int, str], st.tuples(st.integers(), text)),
    (list[Size], st.lists(st.builds(Size, st.integers(), plain, paths))),
    (Box, st.builds(Box, st.builds(Size, st.integers(), plain, paths), st.integers())),
    (
        Model,
        st.builds(Model, width=st.integers(), Name=text, inner=st.lists(st.builds(Inner, a=st.integers()))),
    ),
]
SURE = [hint for hint, _ in typed if hint not in (dt.datetime, Path)]


@pytest.mark.parametrize(("hint", "values"), typed, ids=lambda given: getattr(given, "__name__", ""))
def test_typed_value_comes_out_or_is_refused(hint: Any, values: st.SearchStrategy[Any]) -> None:
    @given(values)
    def check(value: Any) -> None:
        try:
            (found,) = bound(hint, value)
        except InvalidTask:
            assert hint not in SURE  # an offset has seconds, or a path has half characters
            return
        assert found == value
        assert type(found) is type(value)

    check()


@given(st.lists(st.tuples(st.sampled_from(["a", "b", '"', "\\", ":"]), plain), max_size=3), st.booleans())
def test_repeated_member_is_refused_however_it_is_written(
    members: list[tuple[str, Any]], escaped: bool
) -> None:
    def quoted(name: str) -> str:
        return '"' + "".join(f"\\u{ord(c):04x}" for c in name) + '"'

    write: Callable[[str], str] = quoted if escaped else lambda name: msgspec.json.encode(name).decode()
    inner = ", ".join(f"{write(name)} : {msgspec.json.encode(value).decode()}" for name, value in members)
    names = [name for name, _ in members]
    if len({*names}) < len(names):
        with pytest.raises(RepeatedKey):
            decode_once(f'[{{"x": {{{inner}}}}}]')
    else:
        assert decode_once(f'[{{"x": {{{inner}}}}}]') == [{"x": dict(members)}]
