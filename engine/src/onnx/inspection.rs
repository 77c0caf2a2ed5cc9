//! What a graph may hold, checked in its bytes before ONNX Runtime sees any of them: its parser, its shape inference and its
//! folding of constants would all run on what a stranger wrote. What is not listed here is refused: operators and their
//! domains, types of tensors, graphs inside graphs, functions, references to other files, fields this engine does not know,
//! numbers that only serve to ask for memory. What is listed is enough for convolutional, recurrent and attention networks.
//!
//! Field numbers and types: the ONNX project's `onnx.proto`.

use super::protobuf::{Field, Fields, Malformed, Value, packed};

/// Operators a graph may use, all of ONNX's own domain. None holds a graph of its own, makes sequences or texts, or draws
/// random numbers.
const OPERATORS: &str = "Abs Add And AveragePool BatchNormalization Cast Ceil Clip Concat Constant ConstantOfShape Conv
    ConvTranspose Cos CumSum Div Elu Equal Erf Exp Expand Flatten Floor GRU Gather Gelu Gemm GlobalAveragePool
    GlobalMaxPool Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization LSTM
    LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax MatMul Max MaxPool Mean Min Mish Mul Neg Not Or PRelu
    Pad Pow RNN Reciprocal ReduceL2 ReduceMax ReduceMean ReduceMin ReduceSum ReduceSumSquare Relu Reshape Resize Round
    Selu Shape Sigmoid Sign Sin Slice Softmax Softplus Split Sqrt Squeeze Sub Sum Tanh Tile Transpose Unsqueeze Where";

/// `TensorProto.DataType`: the types a tensor may have, and the bytes of one element.
const TYPES: [(u64, usize); 4] = [(FLOAT, 4), (INT32, 4), (INT64, 8), (BOOL, 1)];
const FLOAT: u64 = 1;
const INT32: u64 = 6;
const INT64: u64 = 7;
const BOOL: u64 = 9;

/// Nodes a graph may have; the published network's largest has 1,606.
const MAX_NODES: usize = 10_000;

/// Largest whole number in a graph, and largest product of a list of them that could be a shape: 256 MiB of samples.
const MAX_NUMBER: u64 = 1 << 26;

/// A list of whole numbers up to this long could be a shape.
const MAX_RANK: usize = 8;

/// Newest versions of the format and of its operators this engine has been tried with.
const MAX_IR_VERSION: u64 = 13;
const MAX_OPSET: u64 = 25;

/// Why a graph is refused: the second half of a sentence whose subject is the graph.
type Refusal = String;

impl From<Malformed> for Refusal {
    fn from(_: Malformed) -> Self {
        "it is not an ONNX file".into()
    }
}

/// Checks a whole ONNX file. Reads it once and allocates nothing but the refusal.
///
/// # Errors
/// The first thing found that a graph must not hold, in plain words.
pub(crate) fn inspect(model: &[u8]) -> Result<(), Refusal> {
    let mut graphs = 0;
    for field in Fields::of(model) {
        match field? {
            Field { number: 1, value: Value::Integer(version) } => {
                at_most("its IR version", version, MAX_IR_VERSION)?;
            }
            // Producer, its version, domain, version, documentation, metadata.
            Field { number: 2..=6 | 14, .. } => {}
            Field { number: 7, value: Value::Bytes(graph) } => {
                graphs += 1;
                inspect_graph(graph)?;
            }
            Field { number: 8, value: Value::Bytes(operators) } => inspect_operator_set(operators)?,
            Field { number: 20, .. } => return Err("it holds training information".into()),
            Field { number: 25, .. } => return Err("it holds functions".into()),
            field => return Err(unknown("model", field)),
        }
    }
    if graphs == 1 { Ok(()) } else { Err(format!("it holds {graphs} graphs")) }
}

fn inspect_operator_set(set: &[u8]) -> Result<(), Refusal> {
    for field in Fields::of(set) {
        match field? {
            Field { number: 1, value: Value::Bytes(domain) } => inspect_domain(domain)?,
            Field { number: 2, value: Value::Integer(version) } => {
                at_most("its operator set", version, MAX_OPSET)?;
            }
            field => return Err(unknown("operator set", field)),
        }
    }
    Ok(())
}

fn inspect_domain(domain: &[u8]) -> Result<(), Refusal> {
    match domain {
        b"" | b"ai.onnx" => Ok(()),
        other => Err(format!("it uses operators of the domain {}", quoted(other))),
    }
}

fn inspect_graph(graph: &[u8]) -> Result<(), Refusal> {
    let mut nodes = 0;
    for field in Fields::of(graph) {
        match field? {
            Field { number: 1, value: Value::Bytes(node) } => {
                nodes += 1;
                inspect_node(node)?;
            }
            // Name, documentation, metadata.
            Field { number: 2 | 10 | 16, .. } => {}
            Field { number: 5, value: Value::Bytes(tensor) } => inspect_tensor(tensor)?,
            Field { number: 11..=13, value: Value::Bytes(port) } => inspect_port(port)?,
            Field { number: 14, .. } => return Err("it is quantized".into()),
            Field { number: 15, .. } => return Err("it holds sparse tensors".into()),
            field => return Err(unknown("graph", field)),
        }
        if nodes > MAX_NODES {
            return Err(format!("it has more than {MAX_NODES} nodes"));
        }
    }
    Ok(())
}

fn inspect_node(node: &[u8]) -> Result<(), Refusal> {
    let mut operator: &[u8] = b"";
    for field in Fields::of(node) {
        match field? {
            // Inputs, outputs, name, documentation, metadata.
            Field { number: 1..=3 | 6 | 9, .. } => {}
            Field { number: 4, value: Value::Bytes(name) } => operator = name,
            Field { number: 5, value: Value::Bytes(attribute) } => inspect_attribute(attribute)?,
            Field { number: 7, value: Value::Bytes(domain) } => inspect_domain(domain)?,
            field => return Err(unknown("node", field)),
        }
        // Said of every name given, though only the last would count.
        let allowed = OPERATORS.split_ascii_whitespace().any(|name| name.as_bytes() == operator);
        if !operator.is_empty() && !allowed {
            return Err(format!("it uses the operator {}", quoted(operator)));
        }
    }
    if operator.is_empty() { Err("it has a node without an operator".into()) } else { Ok(()) }
}

fn inspect_attribute(attribute: &[u8]) -> Result<(), Refusal> {
    let (mut name, mut numbers): (&[u8], Numbers) = (b"", Numbers::default());
    let mut last = None;
    for field in Fields::of(attribute) {
        match field? {
            Field { number: 1, value: Value::Bytes(text) } => name = text,
            // Floating point, names of modes, documentation, the attribute's type.
            Field { number: 2 | 4 | 7 | 9 | 13 | 20, .. } => {}
            Field { number: 3 | 8, value: Value::Integer(number) } => {
                numbers.add(number);
                last = Some(number);
            }
            Field { number: 8, value: Value::Bytes(list) } => numbers.add_packed(list)?,
            Field { number: 5, value: Value::Bytes(tensor) } => inspect_tensor(tensor)?,
            Field { number: 6 | 11, .. } => return Err("it holds a graph inside a graph".into()),
            field => return Err(unknown("attribute", field)),
        }
    }
    match (name, last) {
        (b"to", Some(kind)) => bytes_of(kind).map(drop),
        (b"value_string" | b"value_strings", _) => Err("it holds texts".into()),
        _ => numbers.check(),
    }
}

fn inspect_tensor(tensor: &[u8]) -> Result<(), Refusal> {
    let (mut sizes, mut kind) = (Numbers::default(), 0);
    let (mut raw, mut floats, mut numbers): (Option<&[u8]>, usize, Numbers) = (None, 0, Numbers::default());
    for field in Fields::of(tensor) {
        match field? {
            Field { number: 1, value: Value::Integer(size) } => sizes.add(size),
            Field { number: 1, value: Value::Bytes(list) } => sizes.add_packed(list)?,
            Field { number: 2, value: Value::Integer(number) } => kind = number,
            Field { number: 4, value: Value::Bytes(bytes) | Value::Fixed(bytes) } => {
                floats += bytes.len() / 4
            }
            Field { number: 5 | 7, value: Value::Integer(number) } => numbers.add(number),
            Field { number: 5 | 7, value: Value::Bytes(list) } => numbers.add_packed(list)?,
            Field { number: 9, value: Value::Bytes(bytes) } => raw = Some(bytes),
            // Name, documentation, metadata.
            Field { number: 8 | 12 | 16, .. } | Field { number: 14, value: Value::Integer(0) } => {}
            Field { number: 13 | 14, .. } => return Err("it refers to another file".into()),
            field => return Err(unknown("tensor", field)),
        }
    }
    let element_bytes = bytes_of(kind)?;
    let elements = sizes.elements().ok_or("a tensor is too large")?;
    let held = raw.map_or(floats + numbers.count, |raw| raw.len() / element_bytes);
    if held != elements || raw.is_some_and(|raw| raw.len() % element_bytes > 0) {
        return Err(format!("a tensor of {elements} elements holds {held}"));
    }
    if kind == INT64 {
        let values = raw.unwrap_or_default().chunks_exact(8).filter_map(|bytes| bytes.try_into().ok());
        values.take(MAX_RANK + 1).for_each(|bytes| numbers.add(u64::from_le_bytes(bytes)));
        numbers.check()?;
    }
    Ok(())
}

/// `ValueInfoProto`: an input, an output or a tensor between nodes.
fn inspect_port(port: &[u8]) -> Result<(), Refusal> {
    for field in Fields::of(port) {
        match field? {
            // Name, documentation, metadata.
            Field { number: 1 | 3 | 4, .. } => {}
            Field { number: 2, value: Value::Bytes(kind) } => inspect_type(kind)?,
            field => return Err(unknown("port", field)),
        }
    }
    Ok(())
}

/// `TypeProto`: only tensors of the types above.
fn inspect_type(kind: &[u8]) -> Result<(), Refusal> {
    for field in Fields::of(kind) {
        match field? {
            Field { number: 1, value: Value::Bytes(tensor) } => {
                for field in Fields::of(tensor) {
                    if let Field { number: 1, value: Value::Integer(element) } = field? {
                        bytes_of(element)?;
                    }
                }
            }
            Field { number: 6, .. } => {}
            _ => return Err("a port of it is no tensor".into()),
        }
    }
    Ok(())
}

/// A list of whole numbers that may be a shape.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    count: usize,
    largest: u64,
    /// Of those above zero, saturating.
    product: u64,
    any_zero: bool,
    any_negative: bool,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { count: 0, largest: 0, product: 1, any_zero: false, any_negative: false }
    }
}

impl Numbers {
    /// Adds a number as the wire holds it, in two's complement.
    fn add(&mut self, number: u64) {
        self.count += 1;
        let number = number.cast_signed();
        self.any_zero |= number == 0;
        self.any_negative |= number < 0;
        // How `Slice` says "to the end".
        if number.unsigned_abs() >= i64::MAX.unsigned_abs() {
            return;
        }
        self.largest = self.largest.max(number.unsigned_abs());
        if number > 0 {
            self.product = self.product.saturating_mul(number.unsigned_abs());
        }
    }

    fn add_packed(&mut self, list: &[u8]) -> Result<(), Malformed> {
        packed(list).try_for_each(|number| number.map(|number| self.add(number)))
    }

    /// The elements of a tensor of these sizes, unless there are too many.
    fn elements(&self) -> Option<usize> {
        let product = if self.any_zero { 0 } else { self.product };
        let possible = self.count <= MAX_RANK && !self.any_negative;
        (possible && self.largest <= MAX_NUMBER && product <= MAX_NUMBER).then_some(product as usize)
    }

    /// That these numbers, if they are a shape, are none that only serves to ask for memory.
    fn check(&self) -> Result<(), Refusal> {
        let sensible = self.count > MAX_RANK || (self.largest <= MAX_NUMBER && self.product <= MAX_NUMBER);
        if sensible { Ok(()) } else { Err(format!("it asks for more than {MAX_NUMBER} elements at once")) }
    }
}

/// Bytes of an element of a `TensorProto.DataType`.
fn bytes_of(kind: u64) -> Result<usize, Refusal> {
    let known = TYPES.iter().find(|(number, _)| *number == kind);
    known.map(|(_, bytes)| *bytes).ok_or_else(|| format!("it holds tensors of the type {kind}"))
}

fn at_most(what: &str, version: u64, newest: u64) -> Result<(), Refusal> {
    if version <= newest { Ok(()) } else { Err(format!("{what} is {version}; at most {newest} is known")) }
}

fn unknown(message: &str, field: Field<'_>) -> Refusal {
    format!("its {message} holds field {}, which is not known", field.number)
}

/// A stranger's text for a message: short, and nothing that does not print.
fn quoted(text: &[u8]) -> String {
    let printed: String =
        text.iter().take(40).map(|&b| if b.is_ascii_graphic() { char::from(b) } else { '?' }).collect();
    format!("“{printed}”")
}

#[cfg(test)]
#[path = "inspection_tests.rs"]
mod tests;
