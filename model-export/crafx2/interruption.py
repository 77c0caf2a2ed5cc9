"""Ctrl-C and SIGTERM wait for the end of a step, so that what is saved is what an uninterrupted run would have."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class StopRequest:
    """In its block SIGINT and SIGTERM only set `number`; a second SIGINT acts as usual.

    Outside the main thread, which alone may handle signals, it does nothing. Ignored signals stay ignored.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if kind is None and self.number is not None:
            # It came after the last step: nothing is left to wait for.
            signal.raise_signal(self.number)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.number = number
        if number == signal.SIGINT:
            signal.signal(number, self._before[number])
