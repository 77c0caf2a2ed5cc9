"""Write the tiny networks the engine's tests run: a CRAFx2-shaped network in split and whole form, and bad graphs.

Usage: python engine/tests/data/make_networks.py (needs the packages onnx and numpy). Output is deterministic.
"""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

HERE = Path(__file__).parent
FILTERS = 6
RNG = np.random.default_rng(7)
W1 = (RNG.standard_normal((FILTERS, 8, 64)) / 22).astype(np.float32)
W2 = (np.abs(RNG.standard_normal((FILTERS, 1, 128))) / 100).astype(np.float32)
W3 = (RNG.standard_normal((FILTERS, FILTERS, 3)) / 4).astype(np.float32)
# Tied synthesis, summed over the four stems: rows are filters, columns left and right.
W4 = W1.reshape(FILTERS, 4, 2, 64).sum(1).astype(np.float32)


def tensor(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def port(name, channels, frames):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, frames])


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


CONSTANTS = [tensor("w1", W1), tensor("w2", W2), tensor("w3", W3), tensor("w4", W4)]
CONSTANTS += [tensor(f"i{n}", np.array([n], np.int64)) for n in (34, 95, 97, -32, -96, -98)]
CONSTANTS += [tensor("axis", np.array([2], np.int64)), tensor("times64", np.array([1, 1, 64], np.float32))]


def latent_nodes(bands_for_latent, filters=FILTERS):
    """conv_2, softplus, pool over bands that already hold the context."""
    return [
        node("Abs", bands_for_latent, "magnitude"),
        node("Conv", "magnitude w2", "smooth", group=filters),
        node("MaxPool", "smooth", "pooled", kernel_shape=[64], strides=[64]),
        node("Softplus", "pooled", "latent"),
    ]


def mask_nodes(latent="latent", level="level"):
    """A stand-in for TCN, BLSTM and gate: local in time, and dependent on the mean over the window."""
    return [
        node("Conv", f"{latent} w3", "local", pads=[1, 1]),
        node("ReduceMean", level, "mean", axes=[2], keepdims=1),
        node("Exp", "mean", "gate"),
        node("Mul", "local gate", "gated"),
        node("Softplus", "gated", "mask"),
    ]


def back_nodes(bands, mask, start, end):
    return [
        helper.make_node("Resize", [mask, "", "times64"], ["up"], mode="nearest",
                         coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        node("Mul", f"{bands} up", "masked"),
        node("ConvTranspose", "masked w4", "long"),
        node("Slice", f"long {start} {end} axis", "cut"),
        node("Tanh", "cut", "mix"),
    ]


def write(name, nodes, inputs, outputs, constants=None):
    used = {i for n in nodes for i in n.input}
    kept = [c for c in (constants or CONSTANTS) if c.name in used]
    graph = helper.make_graph(nodes, name, inputs, outputs, kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    save(model, HERE / f"{name}.onnx")


def main():
    # front: p(i) belongs to input sample i + 31; bands start at sample 128, conv_2 needs 63 before and 64 after.
    front = [
        node("Conv", "stems w1", "p"),
        node("Slice", "p i97 i-96 axis", "bands"),
        node("Slice", "p i34 i-32 axis", "around"),
        *latent_nodes("around"),
        node("Abs", "bands", "size"),
        node("AveragePool", "size", "level", kernel_shape=[64], strides=[64]),
    ]
    write("front", front, [port("stems", 8, "t")],
          [port("latent", FILTERS, "n"), port("level", FILTERS, "n"), port("bands", FILTERS, "s")])
    write("latent", mask_nodes(), [port("latent", FILTERS, "n"), port("level", FILTERS, "n")],
          [port("mask", FILTERS, "n")])
    # back: one latent frame (64 samples) either side; the synthesis is 31 samples early.
    write("back", back_nodes("bands", "mask", "i95", "i-96"),
          [port("bands", FILTERS, "s"), port("mask", FILTERS, "n")], [port("mix", 2, "t")])
    # A front end that leaves its rows open and then makes one too few.
    narrow = [tensor("w1", W1[1:]), tensor("w2", W2[1:]), *(c for c in CONSTANTS if c.name not in ("w1", "w2"))]
    fewer = [*front[:3], *latent_nodes("around", FILTERS - 1), *front[-2:]]
    write("narrow", fewer, [port("stems", 8, "t")],
          [port("latent", "k", "n"), port("level", "k", "n"), port("bands", "k", "s")], narrow)
    whole = [
        node("Conv", "stems w1", "bands", pads=[31, 32]),
        node("Pad", "bands pads", "around"),
        *latent_nodes("around"),
        node("Abs", "bands", "size"),
        node("AveragePool", "size", "level", kernel_shape=[64], strides=[64]),
        *mask_nodes(),
        *back_nodes("bands", "mask", "i31", "i-32"),
    ]
    extra = [tensor("pads", np.array([0, 0, 63, 0, 0, 64], np.int64)), tensor("i31", np.array([31], np.int64))]
    write("whole", whole, [port("stems", 8, "t")], [port("mix", 2, "t")], CONSTANTS + extra)

    # Bad graphs, all in the shape of `whole`.
    outside = tensor("w1", W1)
    outside.ClearField("raw_data")
    outside.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "../outside.bin"), ("offset", "0"), ("length", str(W1.nbytes))):
        outside.external_data.add(key=key, value=value)
    others = [c for c in CONSTANTS + extra if c.name != "w1"]
    write("external", whole, [port("stems", 8, "t")], [port("mix", 2, "t")], [outside, *others])
    write("mono", [node("ReduceMean", "stems", "mix", axes=[1], keepdims=1)],
          [port("stems", 8, "t")], [port("mix", 1, "t")])
    forever = helper.make_graph(
        [node("Identity", "go", "again"), node("Identity", "carried", "next")], "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []),
         helper.make_tensor_value_info("go", TensorProto.BOOL, []),
         helper.make_tensor_value_info("carried", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("again", TensorProto.BOOL, []),
         helper.make_tensor_value_info("next", TensorProto.FLOAT, None)])
    loop = [
        helper.make_node("Loop", ["trips", "yes", "stems"], ["looped"], body=forever),
        node("Slice", "looped zero two one", "mix"),
    ]
    constants = [tensor("trips", np.array(2**62, np.int64)), tensor("yes", np.array(True)),
                 tensor("zero", np.array([0], np.int64)), tensor("two", np.array([2], np.int64)),
                 tensor("one", np.array([1], np.int64))]
    write("endless", loop, [port("stems", 8, "t")], [port("mix", 2, "t")], constants)

    # Slow without a loop: five hundred multiplications of matrices, each some tenths of a second. The matrix depends on
    # the input, so that it cannot be folded before the run.
    chain = [node("ReduceMean", "stems", "one_number", axes=[1, 2], keepdims=1), node("Expand", "one_number square", "m0")]
    chain += [node("MatMul", f"m{n} m{n}", f"m{n + 1}") for n in range(500)]
    chain += [node("ReduceMean", "m500", "end", axes=[1, 2], keepdims=1), node("Slice", "stems zero two one", "pair"),
              node("Add", "pair end", "mix")]
    constants += [tensor("square", np.array([1, 2048, 2048], np.int64))]
    write("slow", chain, [port("stems", 8, "t")], [port("mix", 2, "t")], constants)


if __name__ == "__main__":
    main()
