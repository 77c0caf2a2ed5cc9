//! The numbers that a graph holds under a name of their own: its weights. Read from bytes that were inspected before, for
//! parts of a network that are computed without the runtime.

use super::protobuf::{Field, Fields, Malformed, Value, packed};

/// `TensorProto.DataType` of 32-bit floats.
const FLOAT: u64 = 1;

/// One tensor of 32-bit floats.
pub(crate) struct Initializer {
    pub(crate) sizes: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// All tensors of floats of a graph whose values are in its bytes as they lie in memory, which is how exporters write them.
pub(crate) fn initializers(model: &[u8]) -> Vec<Initializer> {
    let tensors = messages(model, 7).flat_map(|graph| messages(graph, 5));
    tensors.filter_map(|tensor| read(tensor).ok().flatten()).collect()
}

/// The messages in all fields of this number.
fn messages(message: &[u8], wanted: u32) -> impl Iterator<Item = &[u8]> {
    Fields::of(message).filter_map(move |field| match field {
        Ok(Field { number, value: Value::Bytes(bytes) }) if number == wanted => Some(bytes),
        _ => None,
    })
}

fn read(tensor: &[u8]) -> Result<Option<Initializer>, Malformed> {
    let (mut sizes, mut kind, mut raw) = (Vec::new(), 0, None);
    for field in Fields::of(tensor) {
        match field? {
            Field { number: 1, value: Value::Integer(size) } => sizes.push(size as usize),
            Field { number: 1, value: Value::Bytes(list) } => {
                for size in packed(list) {
                    sizes.push(size? as usize);
                }
            }
            Field { number: 2, value: Value::Integer(number) } => kind = number,
            Field { number: 9, value: Value::Bytes(bytes) } => raw = Some(bytes),
            _ => {}
        }
    }
    let Some(raw) = raw.filter(|_| kind == FLOAT) else { return Ok(None) };
    let values: Vec<f32> = raw
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        .collect();
    let count = sizes.iter().try_fold(1_usize, |count, &size| count.checked_mul(size));
    Ok((count == Some(values.len())).then_some(Initializer { sizes, values }))
}
