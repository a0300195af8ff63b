"""How a training hears the signals that end it.

Only what would happen by default is taken over: a signal that is ignored, as `nohup` and shells
have it for what they start in the background, stays ignored, and a handler of the caller's stays in
force.
"""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn, TypeVar, final

import jax

from hebbax.evolution import processes
from hebbax.evolution.endings import TERMINATED, end_as_terminated, end_process, say
from hebbax.types import checks

STEP = 0.02  # s, for which a signal may go unheard.

Answer = TypeVar("Answer")

_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


class Terminated(SystemExit):
    """SIGTERM came: what is not on disk yet has some seconds."""


class TimeLimitError(Exception):
    """A time limit was reached; what was done until then is kept."""


@contextmanager
def time_limit(minutes: float | None) -> Iterator[None]:
    """Within it trainings end with the generation in which the time is over, as after Ctrl-C.

    A sweep raises `TimeLimitError` then. What is not repeated, such as compiling a program or
    scoring a genome, is not cut short.

    Args:
        minutes: from now on, above 0; no limit if None.

    Raises:
        ValueError: if it is no such number.

    Examples:
        >>> import hebbax
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=10**9)
        >>> with hebbax.evolution.time_limit(minutes=0.001):
        ...     result = hebbax.train(config)
        >>> len(result.history) >= 1
        True
    """
    minutes = checks.optional(checks.positive)("time_limit", minutes)
    seconds = math.inf if minutes is None else 60 * minutes
    token = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


def is_time_over() -> bool:
    """Whether the time limit was reached, if there is one."""
    return time.monotonic() > _deadline.get()


@final
class Interrupts:
    """What was heard.

    is_terminated: whether SIGTERM came.
    """

    def __init__(self) -> None:
        """Nothing was heard yet."""
        self.is_terminated = self._is_interrupted = False
        self._is_open = False

    @property
    def is_interrupted(self) -> bool:
        """Whether the training shall end soon.

        SIGINT came, Ctrl-C, of which a second one does what it does by default, or the time is
        over.
        """
        return self._is_interrupted or is_time_over()

    def note_interrupt(self) -> None:
        """Takes SIGINT down."""
        self._is_interrupted = True

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Raises `Terminated` as soon as SIGTERM comes.

        Elsewhere it waits for the next such place, so that nothing is left half done.
        """
        self._is_open = True
        try:
            self.raise_if_terminated()
            yield
        finally:
            self._is_open = False

    def raise_if_terminated(self) -> None:
        """Raises `Terminated` if SIGTERM came."""
        if self.is_terminated:
            raise Terminated(TERMINATED)

    def note_termination(self) -> None:
        """Takes SIGTERM down."""
        self.is_terminated = True
        if self._is_open:
            self.raise_if_terminated()


_listening: list[Interrupts] = []
_last_act: list[Callable[[], Any]] = []


def handle_with(kind: int, handler: Callable[..., Any]) -> None:
    """Has a handler that ends the process called when a training has kept its state.

    Args:
        kind: the signal.
        handler: of this signal; called at once where no training is at work, or another process
            keeps its state.
    """

    def on_signal(signum: int, frame: Any) -> None:
        if not _listening or not processes.is_writer():
            handler(signum, frame)
            return
        _last_act.append(lambda: handler(signum, frame))
        _listening[-1].note_termination()

    signal.signal(kind, on_signal)


def end_as_heard() -> NoReturn:
    """Ends the process as the signal would have that has terminated the training."""
    for act in _last_act:
        try:
            act()
        finally:
            end_process(TERMINATED)
    end_as_terminated()


@contextmanager
def listen() -> Iterator[Interrupts]:
    """Hears SIGINT and SIGTERM in place of what they do by default."""
    heard = Interrupts()

    def on_interrupt(*_: Any) -> None:
        signal.signal(signal.SIGINT, before[signal.SIGINT])
        heard.note_interrupt()
        say(
            "interrupted: the training ends after this generation; interrupt it again to end it at "
            "once"
        )

    handlers = {
        signal.SIGINT: on_interrupt,
        signal.SIGTERM: lambda *_: heard.note_termination(),
    }
    before = {kind: signal.getsignal(kind) for kind in handlers}
    ours = [
        kind
        for kind, handler in before.items()
        if handler in (signal.SIG_DFL, signal.default_int_handler)
        # Only the main thread may handle signals; elsewhere the caller does.
        and threading.current_thread() is threading.main_thread()
    ]
    try:
        for kind in ours:
            signal.signal(kind, handlers[kind])
        _listening.append(heard)
        yield heard
    finally:
        _listening.remove(heard)
        for kind in ours:
            signal.signal(kind, before[kind])
    heard.raise_if_terminated()


def in_thread(function: Callable[..., Answer], *arguments: Any) -> Answer:
    """Calls a function in a thread, and waits for the arrays of its answer.

    In the compiler, or waiting for a device, the main thread hears no signal.
    """
    is_x64 = jax.config.read("jax_enable_x64")

    def call() -> Answer:
        # A setting of the thread, in which arguments have the types that they have here.
        with jax.enable_x64(is_x64):
            return jax.block_until_ready(function(*arguments))

    future = ThreadPoolExecutor(max_workers=1).submit(call)
    # In steps: a signal that comes just before the main thread falls asleep does not wake it.
    while not future.done():
        wait([future], timeout=STEP)
        processes.raise_if_lost()
    try:
        return future.result()
    except Exception:
        processes.await_news()  # Collectives fail before it has come why.
        raise


def compiled(function: Any, *arguments: Any) -> Callable[..., Any]:
    """Compiles a function of `jax.jit` for some arguments, so that signals are heard.

    It is traced here: a thread of its own knows none of the settings that surround the call.
    """
    return in_thread(function.lower(*arguments).compile)


def call(function: Any, *arguments: Any) -> Any:
    """Compiles a function of `jax.jit` and calls it, so that signals are heard."""
    return in_thread(compiled(function, *arguments), *arguments)
