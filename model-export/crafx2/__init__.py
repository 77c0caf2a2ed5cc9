"""CRAFx2: the mixing network of Tributary, its training data, training and export.

Everything that reaches the plug-in goes through a model bundle (see `export`); Fx-normalization itself lives in
the Rust crate `tributary-dsp` and is never repeated here.
"""

import os

# With a processor's own instructions for half precision (AVX-512 BF16 and FP16, AMX), oneDNN as PyTorch 2.8 ships it
# computed a loss of 9.19 where float32 and its plain AVX-512 code compute 1.82, and float16 made no step in minutes
# (one virtual machine, 2026-11). It reads this before its first operation; who knows better sets it otherwise.
os.environ.setdefault("DNNL_MAX_CPU_ISA", "AVX512_CORE")

__version__ = "0.1.0"
