"""CRAFx2: the mixing network of Tributary, its training data, training and export.

Everything that reaches the plug-in goes through a model bundle (see `export`); Fx-normalization itself lives in
the Rust crate `tributary-dsp` and is never repeated here.
"""

__version__ = "0.1.0"
