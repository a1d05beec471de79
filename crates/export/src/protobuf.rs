//! [`Message`]: a message of Protocol Buffers in the making, and its bytes. Only what ONNX files need, and only writing.
//!
//! A field is its number and wire type as a varint, then its content: a varint (0), a length as a varint and so many bytes (2), or
//! four bytes (5). <https://protobuf.dev/programming-guides/encoding/>
//!
//! Written here, since a library of Protocol Buffers would be many times as long as this with its build step, and would keep
//! every weight in memory twice over; here weights are copied only while they are written.

use std::io::Write;

use pipeline_nn::Tensor;
use pipeline_nn::weights::Precision;

use crate::error::Error;

/// Fields in order.
#[derive(Debug, Default)]
pub(crate) struct Message {
    fields: Vec<(u32, Field)>,
}

#[derive(Debug)]
enum Field {
    Integer(u64),
    Float(f32),
    Bytes(Vec<u8>),
    Message(Message),
    /// The numbers of a tensor as bytes.
    Numbers(String, Tensor, Precision),
}

impl Message {
    pub(crate) fn new() -> Self {
        Message::default()
    }

    fn with(mut self, number: u32, field: Field) -> Self {
        self.fields.push((number, field));
        self
    }

    /// An integer or the number of an enum.
    pub(crate) fn integer(self, number: u32, value: i64) -> Self {
        // Two's complement, as `int64` has it.
        self.with(number, Field::Integer(value as u64))
    }

    /// Each of these integers.
    pub(crate) fn integers(self, number: u32, values: &[i64]) -> Self {
        values.iter().fold(self, |message, value| message.integer(number, *value))
    }

    pub(crate) fn float(self, number: u32, value: f32) -> Self {
        self.with(number, Field::Float(value))
    }

    pub(crate) fn bytes(self, number: u32, bytes: Vec<u8>) -> Self {
        self.with(number, Field::Bytes(bytes))
    }

    pub(crate) fn text(self, number: u32, text: impl Into<String>) -> Self {
        self.bytes(number, text.into().into_bytes())
    }

    pub(crate) fn message(self, number: u32, message: Message) -> Self {
        self.with(number, Field::Message(message))
    }

    /// Each of these messages.
    pub(crate) fn messages(self, number: u32, messages: impl IntoIterator<Item = Message>) -> Self {
        messages.into_iter().fold(self, |all, message| all.message(number, message))
    }

    /// The numbers of `tensor`, which is called `name` in messages.
    pub(crate) fn numbers(self, number: u32, name: &str, tensor: Tensor, precision: Precision) -> Self {
        self.with(number, Field::Numbers(name.to_owned(), tensor, precision))
    }

    /// Its bytes' number.
    pub(crate) fn len(&self) -> u64 {
        self.fields.iter().map(|(number, field)| varint_len(tag(*number, field)) + field.len()).sum()
    }

    /// Writes its bytes.
    pub(crate) fn write(&self, out: &mut impl Write) -> Result<(), Error> {
        let mut buffer = Vec::new();
        for (number, field) in &self.fields {
            varint(out, tag(*number, field))?;
            match field {
                Field::Integer(value) => varint(out, *value)?,
                Field::Float(value) => out.write_all(&value.to_le_bytes())?,
                Field::Bytes(bytes) => {
                    varint(out, bytes.len() as u64)?;
                    out.write_all(bytes)?;
                }
                Field::Message(message) => {
                    varint(out, message.len())?;
                    message.write(out)?;
                }
                Field::Numbers(name, tensor, precision) => {
                    precision.encode(name, tensor, &mut buffer)?;
                    varint(out, buffer.len() as u64)?;
                    out.write_all(&buffer)?;
                }
            }
        }
        Ok(())
    }
}

impl Field {
    /// Bytes behind the tag.
    fn len(&self) -> u64 {
        let with_length = |len: u64| varint_len(len) + len;
        match self {
            Field::Integer(value) => varint_len(*value),
            Field::Float(_) => 4,
            Field::Bytes(bytes) => with_length(bytes.len() as u64),
            Field::Message(message) => with_length(message.len()),
            Field::Numbers(_, tensor, precision) => with_length((tensor.numel() * precision.bytes()) as u64),
        }
    }
}

fn tag(number: u32, field: &Field) -> u64 {
    let wire_type = match field {
        Field::Integer(_) => 0,
        Field::Float(_) => 5,
        Field::Bytes(_) | Field::Message(_) | Field::Numbers(..) => 2,
    };
    u64::from(number) << 3 | wire_type
}

fn varint_len(value: u64) -> u64 {
    // Seven bits to a byte; 0 has one.
    u64::from((64 - (value | 1).leading_zeros()).div_ceil(7))
}

fn varint(out: &mut impl Write, mut value: u64) -> Result<(), Error> {
    while value >= 0x80 {
        out.write_all(&[value as u8 | 0x80])?;
        value >>= 7;
    }
    Ok(out.write_all(&[value as u8])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_bytes_of_the_encoding_guide_and_the_length_that_it_says() {
        // 150 in field 1, "testing" in field 2 and 150 in a message in field 3 are the guide's own examples;
        // -1 is ten bytes, 1.5 is 0x3fc00000.
        let inner = Message::new().integer(1, 150);
        let message = Message::new()
            .integer(1, 150)
            .text(2, "testing")
            .message(3, inner)
            .integers(4, &[-1, 0])
            .float(5, 1.5)
            .numbers(16, "t", Tensor::from_slice(&[1.5f32, 0.0]), Precision::F16);
        let mut bytes = vec![];
        message.write(&mut bytes).unwrap();
        let expected = [
            &[0x08, 0x96, 0x01][..],
            b"\x12\x07testing",
            &[0x1a, 0x03, 0x08, 0x96, 0x01],
            &[0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x20, 0x00],
            &[0x2d, 0x00, 0x00, 0xc0, 0x3f],
            &[0x82, 0x01, 0x04, 0x00, 0x3e, 0x00, 0x00],
        ]
        .concat();
        assert_eq!(bytes, expected);
        assert_eq!(message.len(), bytes.len() as u64);
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::MAX] {
            let mut bytes = vec![];
            varint(&mut bytes, value).unwrap();
            assert_eq!(varint_len(value), bytes.len() as u64, "{value}");
        }
    }
}
