"""Errors that the command line prints as one sentence, for modules that import PyTorch's exporter only when needed."""

from __future__ import annotations


class ModuleError(RuntimeError):
    """What is wrong with somebody's network, in one sentence."""


class ParityError(RuntimeError):
    """ONNX Runtime and PyTorch disagree; the export is refused."""
