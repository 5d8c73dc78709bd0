"""Signals by which a system ends a command: they interrupt it as Ctrl-C does, so that what it has started ends, too."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = ("SIGTERM", "SIGHUP")  # of kill and batch systems; of a terminal that has gone, which Windows does not say


class Ended(KeyboardInterrupt):
    """The command was told to end.

    Attributes
    ----------
    number : int
        Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def number_of(interrupt: KeyboardInterrupt) -> int:
    """The signal that it stands for."""
    return interrupt.number if isinstance(interrupt, Ended) else signal.SIGINT


@contextmanager
def ending_as_interrupts() -> Iterator[None]:
    """Raise :class:`Ended` at the first of these signals; later ones do not disturb what it has begun to end.

    A signal that has a handler, or is ignored, as ``nohup`` does, keeps that.
    """
    numbers = [number for name in _ENDING if (number := getattr(signal, name, None)) is not None]
    if threading.current_thread() is not threading.main_thread():
        numbers = []  # where Python sets no handlers
    ours = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    is_told = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal is_told
        if not is_told:
            is_told = True
            raise Ended(number)

    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
