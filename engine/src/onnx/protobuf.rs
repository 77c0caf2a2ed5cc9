//! Reading Protocol Buffers' wire format field by field, without allocating and without a schema: what a check of hostile
//! bytes needs. A decoder that builds the whole message first would already have spent the memory that the check is to save
//! (two bytes of file can ask for a node of two hundred).
//!
//! Source: Protocol Buffers documentation, "Encoding".

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Field<'a> {
    /// The field's number in its message.
    pub(crate) number: u32,
    pub(crate) value: Value<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    /// An integer, a truth value or an enumeration.
    Integer(u64),
    /// Four or eight bytes: a number in floating point.
    Fixed(&'a [u8]),
    /// A text, bytes, packed numbers or another message.
    Bytes(&'a [u8]),
}

/// The fields of a message, in the order of the bytes. Ends after the first error.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

/// The bytes are not Protocol Buffers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Malformed;

impl<'a> Fields<'a> {
    pub(crate) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn read(&mut self) -> Result<Field<'a>, Malformed> {
        let tag = integer(&mut self.rest)?;
        let number = u32::try_from(tag >> 3).ok().filter(|&number| number > 0).ok_or(Malformed)?;
        let value = match tag & 7 {
            0 => Value::Integer(integer(&mut self.rest)?),
            1 => Value::Fixed(take(&mut self.rest, 8)?),
            2 => {
                let length = usize::try_from(integer(&mut self.rest)?).map_err(|_| Malformed)?;
                Value::Bytes(take(&mut self.rest, length)?)
            }
            5 => Value::Fixed(take(&mut self.rest, 4)?),
            // 3 and 4 are groups, which ONNX never had; 6 and 7 are nothing.
            _ => return Err(Malformed),
        };
        Ok(Field { number, value })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// The integers of packed bytes.
pub(crate) fn packed(mut bytes: &[u8]) -> impl Iterator<Item = Result<u64, Malformed>> {
    std::iter::from_fn(move || {
        (!bytes.is_empty()).then(|| {
            let value = integer(&mut bytes);
            if value.is_err() {
                bytes = &[];
            }
            value
        })
    })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    let (taken, after) = rest.split_at_checked(length).ok_or(Malformed)?;
    *rest = after;
    Ok(taken)
}

/// A variable-length integer: seven bits a byte, the lowest first, at most ten bytes.
fn integer(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentations_examples_are_read() {
        // Field 1 = 150; field 2 = "testing"; field 4 as packed [3, 270, 86942].
        let bytes = [
            &[0x08, 0x96, 0x01, 0x12, 0x07][..],
            b"testing",
            &[0x22, 0x06, 0x03, 0x8E, 0x02, 0x9E, 0xA7, 0x05],
        ]
        .concat();
        let fields: Vec<Field<'_>> = Fields::of(&bytes).map(Result::unwrap).collect();
        assert_eq!(fields[0], Field { number: 1, value: Value::Integer(150) });
        assert_eq!(fields[1], Field { number: 2, value: Value::Bytes(b"testing") });
        let Value::Bytes(numbers) = fields[2].value else { panic!("{fields:?}") };
        let numbers: Vec<u64> = packed(numbers).map(Result::unwrap).collect();
        assert_eq!((fields[2].number, numbers), (4, vec![3, 270, 86_942]));
    }

    #[test]
    fn negative_numbers_take_ten_bytes() {
        let bytes = [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01];
        assert_eq!(packed(&bytes).next(), Some(Ok((-2_i64).cast_unsigned())));
    }

    #[test]
    fn what_is_cut_or_unknown_is_malformed_and_ends() {
        for bytes in [
            &[0x08][..],                     // a tag without its value
            &[0x12, 0x05, 1, 2],             // shorter than it says
            &[0x0D, 1, 2, 3],                // four bytes, of which three
            &[0x0B, 0x0C],                   // a group
            &[0x00, 0x01],                   // field 0
            &[0xFF; 20],                     // an integer without an end
            &[0x12, 0xFF, 0xFF, 0xFF, 0x7F], // a length beyond memory
        ] {
            let mut fields = Fields::of(bytes);
            assert_eq!(fields.next(), Some(Err(Malformed)), "{bytes:?}");
            assert_eq!(fields.next(), None);
        }
    }
}
