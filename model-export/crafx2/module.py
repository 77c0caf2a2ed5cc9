"""Any network as a bundle: a Python file with `build()` goes through ONNX into one graph that the engine runs whole.

The engine asks a network for this much: `stems` `(1, 8, frames)` in, `mix` `(1, 2, frames)` out, for every multiple of
64 frames, at 44.1 kHz, stems in the order vocals, bass, drums, other. It is run anew on every window; what it keeps
between windows it must find in the context.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from .contract import MARGIN_FRAMES, NOT_STATED, PARITY_TOLERANCE, Window, replaced_folder
from .errors import ModuleError, ParityError
from .export import (
    PARITY_FRAMES,
    BundleInfo,
    export_graph,
    finish_bundle,
    parity_signal,
    plain_output,
    whole_graph,
)
from .front_end import FRAME_RATIO
from .recipe import Recipe
from .runtime import session

CHANNELS = 8


@dataclass(frozen=True)
class LoadedModule:
    """A network and what its file says about it."""

    module: nn.Module
    name: str
    window: Window


def load_module(file: Path, weights: Path | None = None) -> LoadedModule:
    """Execute a Python file and call its `build()`; `WINDOW` in it may name the window's lengths in frames."""
    if not file.is_file():
        raise ModuleError(f"{file} does not exist")
    spec = importlib.util.spec_from_file_location(f"crafx2_module_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ModuleError(f"{file} is not a Python file")
    source = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(source)
    build = getattr(source, "build", None)
    module = build() if callable(build) else None
    if not isinstance(module, nn.Module):
        raise ModuleError(f"{file} has no function build() that returns a torch.nn.Module")
    try:
        window = Window(**getattr(source, "WINDOW", {}))
        if weights is not None:
            module.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModuleError(f"{file}: {error}") from error
    return LoadedModule(module.eval(), file.stem, window)


def _check_shape(module: nn.Module) -> None:
    """A mix of the stems' length, for lengths that are no power of two, and nothing random."""
    for frames in (10 * FRAME_RATIO, 37 * FRAME_RATIO):
        stems = parity_signal(CHANNELS, frames)
        try:
            mix, again = plain_output(module, stems), plain_output(module, stems)
        except Exception as error:
            raise ModuleError(f"the network does not run on (1, {CHANNELS}, {frames}): {error}") from error
        if mix.shape != (2, frames):
            raise ModuleError(f"the network makes {list(mix.shape)} of {frames} frames; expected [2, {frames}]")
        if not np.all(np.isfinite(mix)) or not np.array_equal(mix, again):
            raise ModuleError("the network's output is not finite, or not the same twice")


def export_module(
    loaded: LoadedModule,
    target: Path,
    *,
    recipe: Recipe,
    targets: dict[str, Any],
    name: str | None = None,
    license: str = NOT_STATED,
) -> float:
    """Write the bundle to `target`, replacing it; returns the largest difference of ONNX Runtime to PyTorch.

    `recipe` and `targets` are those that the network's training data were normalized with.
    """
    module = loaded.module
    _check_shape(module)
    name = name or loaded.name
    info = BundleInfo(
        name=name,
        trained_on=NOT_STATED,
        targets=targets,
        recipe=recipe,
        window=loaded.window,
        license=license,
        card=f"# {name}\n\nExported from `{loaded.name}.py`; its training is not described.\n\nLicense: {license}.\n",
    )
    with replaced_folder(target) as folder:
        example = torch.randn(1, CHANNELS, 4 * FRAME_RATIO + 2 * MARGIN_FRAMES) * 0.1
        export_graph(module, (example,), ("stems",), ("mix",), folder / "whole.onnx")
        graph, worst = session(folder / "whole.onnx"), 0.0
        for frames in (PARITY_FRAMES, 2 * PARITY_FRAMES + 10 * FRAME_RATIO):
            stems = parity_signal(CHANNELS, frames, seed=frames)
            found, expected = graph.run(None, {"stems": stems[None]})[0][0], plain_output(module, stems)
            same = found.shape == expected.shape
            worst = max(worst, float(np.max(np.abs(found - expected))) if same else float("inf"))
        if not worst <= PARITY_TOLERANCE:
            raise ParityError(f"graph and network differ by {worst:.2e}; at most {PARITY_TOLERANCE:.0e} is allowed")
        stems = parity_signal(CHANNELS, PARITY_FRAMES)
        finish_bundle(folder, info, whole_graph(folder), (stems, plain_output(module, stems)), loaded.name)
    return worst
