//! Graphs as hostile input: every kind of thing that a graph must not hold, written as bytes; and what networks do hold.

use super::*;
use crate::test_support::Noise;

/// A variable-length integer.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A field that holds bytes: a text or a message.
fn bytes(number: u64, content: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

/// A field that holds a whole number.
fn integer(number: u64, value: i64) -> Vec<u8> {
    [varint(number << 3), varint(value.cast_unsigned())].concat()
}

/// A model of the version and operators that we export, holding these fields of a graph.
fn model(graph: &[Vec<u8>]) -> Vec<u8> {
    let set = bytes(8, &[bytes(1, b""), integer(2, 17)].concat());
    [integer(1, 8), set, bytes(7, &graph.concat())].concat()
}

/// A node with an attribute; a graph's field.
fn node(operator: &str, attribute: &[Vec<u8>]) -> Vec<u8> {
    let attribute = if attribute.is_empty() { vec![] } else { bytes(5, &attribute.concat()) };
    let node = [bytes(1, b"x"), bytes(2, b"y"), bytes(4, operator.as_bytes()), attribute];
    bytes(1, &node.concat())
}

/// An initializer; a graph's field.
fn tensor(fields: &[Vec<u8>]) -> Vec<u8> {
    bytes(5, &fields.concat())
}

fn raw(kind: u64, sizes: &[i64], data: &[u8]) -> Vec<u8> {
    let sizes: Vec<u8> = sizes.iter().flat_map(|&size| integer(1, size)).collect();
    [sizes, integer(2, kind.cast_signed()), bytes(9, data)].concat()
}

fn shape(sizes: &[i64]) -> Vec<u8> {
    let data: Vec<u8> = sizes.iter().flat_map(|size| size.to_le_bytes()).collect();
    tensor(&[raw(INT64, &[sizes.len() as i64], &data)])
}

#[test]
fn what_networks_hold_is_accepted() {
    let good = model(&[
        node("Conv", &[bytes(1, b"pads"), bytes(8, &[31, 32]), integer(20, 7)]),
        node("Cast", &[bytes(1, b"to"), integer(3, 7)]),
        node("Resize", &[bytes(1, b"mode"), bytes(4, b"nearest")]),
        tensor(&[raw(FLOAT, &[2, 1, 3], &[0; 24])]),
        tensor(&[raw(BOOL, &[], &[1])]),
        // Not raw: two floats packed, three whole numbers one by one.
        tensor(&[integer(1, 2), integer(2, 1), bytes(4, &[0; 8])]),
        tensor(&[bytes(1, &[3]), integer(2, 7), integer(7, -1), integer(7, 2), integer(7, 64)]),
        // How Slice is told to go to the end, and a table that is no shape.
        shape(&[i64::MAX]),
        shape(&[1 << 40; 9]),
        bytes(11, &[bytes(1, b"stems"), bytes(2, &bytes(1, &integer(1, 1)))].concat()),
    ]);
    assert_eq!(inspect(&good), Ok(()));
}

#[test]
fn what_no_graph_may_hold_is_named() {
    let graph_attribute = |number| node("Conv", &[bytes(1, b"body"), bytes(number, b"")]);
    let many: Vec<Vec<u8>> = vec![node("Add", &[]); MAX_NODES + 1];
    for (graph, reason) in [
        (node("Loop", &[]), "the operator “Loop”"),
        (node("If", &[]), "the operator “If”"),
        (node("Scan", &[]), "the operator “Scan”"),
        (node("RandomNormal", &[]), "the operator “RandomNormal”"),
        (node("SequenceConstruct", &[]), "the operator “SequenceConstruct”"),
        (node("evil\n\u{7f}", &[]), "the operator “evil??”"),
        (bytes(1, &bytes(1, b"x")), "without an operator"),
        (bytes(1, &[bytes(4, b"Loop"), bytes(4, b"Add")].concat()), "the operator “Loop”"),
        (bytes(1, &[bytes(4, b"Add"), bytes(7, b"com.evil")].concat()), "the domain “com.evil”"),
        (bytes(1, &[bytes(4, b"Add"), bytes(8, b"overload")].concat()), "node holds field 8"),
        (graph_attribute(6), "a graph inside a graph"),
        (graph_attribute(11), "a graph inside a graph"),
        (graph_attribute(22), "attribute holds field 22"),
        (node("Constant", &[bytes(1, b"value_string"), bytes(4, b"x")]), "texts"),
        (node("Cast", &[bytes(1, b"to"), integer(3, 8)]), "the type 8"),
        (node("Conv", &[bytes(1, b"pads"), integer(8, 1 << 27)]), "elements at once"),
        (tensor(&[raw(8, &[1], &[0])]), "the type 8"),
        (tensor(&[raw(FLOAT, &[2], &[0; 4])]), "a tensor of 2 elements holds 1"),
        (tensor(&[raw(FLOAT, &[1], &[0; 5])]), "a tensor of 1 elements holds 1"),
        (tensor(&[raw(FLOAT, &[-1], &[0; 4])]), "too large"),
        (tensor(&[raw(FLOAT, &[1 << 40, 1 << 40], &[])]), "too large"),
        (tensor(&[raw(FLOAT, &[1; 9], &[0; 4])]), "too large"),
        (shape(&[1, 1 << 20, 1 << 20]), "elements at once"),
        (shape(&[1 << 30]), "elements at once"),
        (tensor(&[raw(FLOAT, &[0], &[]), bytes(13, b"location")]), "another file"),
        (tensor(&[raw(FLOAT, &[0], &[]), integer(14, 1)]), "another file"),
        (bytes(14, b""), "quantized"),
        (bytes(15, b""), "sparse"),
        (bytes(11, &bytes(2, &bytes(4, b""))), "no tensor"),
        (bytes(13, &bytes(2, &bytes(1, &integer(1, 8)))), "the type 8"),
        (many.concat(), "more than 10000 nodes"),
    ] {
        let refusal = inspect(&model(&[graph])).expect_err(reason);
        assert!(refusal.contains(reason), "{reason}: {refusal}");
        assert!(!refusal.contains(['\n', '\u{7f}']) && refusal.len() < 100, "{refusal}");
    }
    let good = model(&[]);
    for (more, reason) in [
        (bytes(25, b""), "functions"),
        (bytes(20, b""), "training"),
        (bytes(8, &bytes(1, b"com.microsoft")), "the domain “com.microsoft”"),
        (bytes(8, &integer(2, 26)), "operator set is 26"),
        (integer(1, 14), "IR version is 14"),
        (bytes(7, b""), "2 graphs"),
        (vec![0xFF], "not an ONNX file"),
    ] {
        let refusal = inspect(&[good.clone(), more].concat()).expect_err(reason);
        assert!(refusal.contains(reason), "{reason}: {refusal}");
    }
    assert!(inspect(b"").is_err() && inspect(b"this is no graph").is_err());
}

/// Bytes of our own networks, changed at random: never a panic, and what is accepted is what the format allows.
#[test]
fn random_damage_never_panics() {
    let network = include_bytes!("../../tests/data/whole.onnx");
    assert_eq!(inspect(network), Ok(()));
    let mut noise = Noise(5);
    let (mut refused, changes) = (0, 20_000);
    for _ in 0..changes {
        let mut changed = network.to_vec();
        for _ in 0..1 + noise.below(3) {
            let at = noise.below(changed.len());
            match noise.below(4) {
                0 => changed[at] = noise.below(256) as u8,
                1 => changed[at] ^= 1 << noise.below(8),
                2 => drop(changed.drain(at..(at + noise.below(9)).min(changed.len()))),
                _ => changed.truncate(at + 1),
            }
        }
        refused += usize::from(inspect(&changed).is_err());
    }
    assert!(refused > changes / 4, "{refused}");
}
