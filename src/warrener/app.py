"""The app: the registry of handlers that a user writes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, Protocol, TypeVar, overload

from warrener.attempt import Attempt
from warrener.errors import AppError, InvalidTask, UsageError
from warrener.handler import Handler
from warrener.hooks import Lifespan, Middleware, hints_of
from warrener.models import Task
from warrener.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
F = TypeVar("F", bound="Callable[..., Any]")
_UNSET: Final = object()


class App:
    """A set of handlers, one for each type of task.

    ```python
    app = App()

    @app.task(retries=3, timeout=60)
    def resize(file: str, width: int = 200) -> dict[str, int]: ...
    ```

    Args:
        retries: How many times a failed task is tried again, unless its handler says otherwise.
        base: Seconds before the first retry; each further one waits twice as long.
        timeout: Seconds after which an attempt is killed; None for no limit.
        permanent: Exception types that trying again cannot help, besides `PermanentError`.

    Raises:
        UsageError: A value is out of range.
    """

    def __init__(
        self,
        *,
        retries: int = 3,
        base: float = 1.0,
        timeout: float | None = None,
        permanent: tuple[type[BaseException], ...] = (),
    ) -> None:
        self._policy = RetryPolicy(retries, base)
        self._timeout = _checked_timeout(timeout)
        self._permanent = permanent
        self.handlers: dict[str, Handler] = {}
        self.lifespans: list[Lifespan] = []
        self.middlewares: list[Middleware] = []

    @overload
    def task(self, function: Callable[P, R], /) -> HandlerFunction[P, R]: ...

    @overload
    def task(
        self,
        type: str | None = None,
        /,
        *,
        retries: int | None = None,
        base: float | None = None,
        timeout: float | None = ...,
        soft_timeout: float | None = None,
        permanent: tuple[type[BaseException], ...] = (),
    ) -> Callable[[Callable[P, R]], HandlerFunction[P, R]]: ...

    def task(
        self,
        type: Any = None,
        /,
        *,
        retries: int | None = None,
        base: float | None = None,
        timeout: Any = _UNSET,
        soft_timeout: float | None = None,
        permanent: tuple[type[BaseException], ...] = (),
    ) -> Any:
        """Register a function, plain or `async`, as the handler of one type of task.

        It stays the function that it is, and `resize.task(file="a.jpg")` makes a task for it.

        Args:
            type: The type it handles; by default the function's name.
            retries: As the app's, for this type.
            base: As the app's, for this type.
            timeout: As the app's, for this type; None lifts the app's limit.
            soft_timeout: Seconds after which it hears that it is late: by `SoftTimeout`, in threads by `Attempt.is_late`.
            permanent: Exception types that are permanent for this type, besides the app's.

        Raises:
            AppError: The type has a handler already, or a parameter's type cannot come from JSON.
            UsageError: A value is out of range.
        """

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            name = type if isinstance(type, str) else getattr(function, "__name__", "")
            if not name:
                raise AppError(
                    f"{function!r} has no name; say the type that it handles, as @app.task('TYPE')"
                )
            if name in self.handlers:
                raise AppError(f"type {name!r} has two handlers; give one of them another name")
            limit = self._timeout if timeout is _UNSET else _checked_timeout(timeout)
            if soft_timeout is not None and limit is not None and soft_timeout >= limit:
                raise UsageError(
                    f"the soft time limit of type {name!r} must come before its time limit of {limit:g} s"
                )
            handler = self.handlers[name] = Handler(
                name,
                function,
                policy=RetryPolicy(
                    self._policy.retries if retries is None else retries,
                    self._policy.base if base is None else base,
                ),
                timeout=limit,
                soft_timeout=_checked_timeout(soft_timeout),
                permanent=(*self._permanent, *permanent),
                given=[Attempt, *self._given],
            )
            with suppress(AttributeError, TypeError):  # a built-in function takes no attributes
                if isinstance(maker := vars(function).setdefault("task", TaskMaker()), TaskMaker):
                    maker.homes.append(Home(self, handler))
            return function

        return register if type is None or isinstance(type, str) else register(type)

    def lifespan(self, function: F) -> F:
        """Register what every child needs before its first task: a connection, a model, a client.

        ```python
        @app.lifespan
        def database() -> Iterator[Connection]:
            with connect("...") as connection:
                yield connection

        @app.task
        def store(database: Connection, row: int) -> None: ...
        ```

        It is entered once in each child, before its first task, and left before it ends, unless it is killed; several in this order,
        and in reverse. What it yields is given to every parameter, of handlers and hooks below it, that has exactly this type as
        its annotation. One that fails costs no task an attempt: what may pass, such as a connection refused, is tried again until the
        worker gives up with 75; what cannot, such as a `TypeError`, ends it with 78.

        Args:
            function: A generator function, plain or `async`, that yields once; its annotation says what, as in
                `-> Iterator[Connection]`. Decorated with `contextlib.contextmanager` or `asynccontextmanager` it will do, too.

        Raises:
            AppError: It cannot be one, or another one yields the same type, or a handler above asks for it.
        """
        lifespan = Lifespan(function, self._given)
        if lifespan.yields in self._given:
            raise AppError(
                f"lifespan {lifespan.name!r} yields a {lifespan.yields.__name__}, as another one does: handlers could not tell which "
                "one they ask for"
            )
        for handler in self.handlers.values():
            hints = hints_of(f"handler {handler.name!r}", handler.function)
            if lifespan.yields is not None and lifespan.yields in hints.values():
                raise AppError(
                    f"lifespan {lifespan.name!r} comes after handler {handler.name!r}, which asks for what it yields: move it "
                    "above"
                )
        self.lifespans.append(lifespan)
        return function

    def middleware(self, function: F) -> F:
        """Register what surrounds each attempt: a timer, a span, a lock, a log line.

        ```python
        @app.middleware
        def timed(task: Task, attempt: Attempt) -> Generator[None, object]:
            start = perf_counter()
            try:
                value = yield  # the handler runs here; what it raises is raised here
            finally:
                measure(task.type, attempt.number, perf_counter() - start)
        ```

        The first one is outermost. The outcome stands: what the handler has returned, whatever a middleware raises after that (which
        is said in the worker's log), and what it has raised, also where a middleware swallows it. A middleware may raise another
        exception instead, or one before its `yield`, which keeps the handler from running: that is the attempt's error then.

        Args:
            function: A generator function that yields once, plain or `async`. It may ask for the `Task`, the `Attempt`, and what
                lifespans above it yield, by annotation.

        Raises:
            AppError: It cannot be one.
        """
        self.middlewares.append(Middleware(function, [Task, Attempt, *self._given]))
        return function

    @property
    def _given(self) -> list[Any]:
        """The types that parameters may ask for."""
        return [lifespan.yields for lifespan in self.lifespans if lifespan.yields is not None]

    def check(self, task: Task) -> None:
        """See that a task fits its handler.

        Raises:
            InvalidTask: There is no such handler, or the data does not fit it.
        """
        handler = self.handlers.get(task.type)
        if handler is None:
            raise InvalidTask(
                f"task {task.id!r} has the type {task.type!r}, for which this app has no handler"
            )
        handler.check(task)

    def publish(
        self,
        tasks: Task | Iterable[Task],
        *,
        broker: str | None = None,
        queue: str | None = None,
        timeout: float | None = None,
    ) -> int:
        """Publish tasks for this app's handlers to a standing queue: `warrener.publish`, and one that fits none is refused.

        `Publisher(app=app)` does the same for services: it stays open, also in an event loop.

        Args:
            tasks: One or any number, as `resize.task(...)` makes them.
            broker: As `Publisher` takes it.
            queue: As `Publisher` takes it.
            timeout: As `Publisher.publish` takes it.

        Raises:
            InvalidTask: One is not valid, or fits no handler; those before it are published.
            UsageError: The address is wrong.
            BrokerError: The broker cannot take them; `NotConfirmed` where that was not known in time.
        """
        from warrener import publish

        return publish(tasks, broker=broker, queue=queue, app=self, timeout=timeout)


class HandlerFunction(Protocol[P, R_co]):
    """A handler's function: it can be called as ever, and makes tasks."""

    __name__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call it here."""

    def task(self, *args: P.args, **kwargs: P.kwargs) -> Task:
        """A task with these arguments, for `run`, `publish` and `Publisher`, which give it an id.

        Raises:
            InvalidTask: They do not fit the function's annotations, or JSON cannot carry them.
        """


class Home(NamedTuple):
    """Where a function is a handler."""

    app: App
    handler: Handler


class TaskMaker:
    """What a handler's function has as `task`: makes tasks for it."""

    def __init__(self) -> None:
        self.homes: list[Home] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Task:
        """See `HandlerFunction.task`."""
        return self.only_home().handler.task(args, kwargs)

    def only_home(self) -> Home:
        """Where the function is a handler.

        Raises:
            UsageError: It is one in several places.
        """
        if len(self.homes) > 1:
            types = " and ".join(repr(home.handler.name) for home in self.homes)
            raise UsageError(
                f"this function handles {types}; say which one with warrener.Task(ID, TYPE, DATA)"
            )
        return self.homes[0]


def _checked_timeout(timeout: float | None) -> float | None:
    if timeout is not None and not timeout > 0:
        raise UsageError(f"a timeout must be more than 0 seconds, not {timeout}; None means no limit")
    return timeout
