"""Errors that the command line prints as one sentence, apart from the modules that raise them, which load slowly."""

from __future__ import annotations


class UserError(RuntimeError):
    """What is the user's to mend, in one sentence."""

    #: What the command line ends with.
    status = 1


class ModuleError(UserError):
    """What is wrong with somebody's network, in one sentence."""


class ParityError(UserError):
    """ONNX Runtime and PyTorch disagree; the export is refused."""


class Interrupted(UserError):
    """What a signal stopped, and how to go on, in one sentence."""

    def __init__(self, sentence: str, signal: int) -> None:
        super().__init__(sentence)
        self.status = 128 + signal
