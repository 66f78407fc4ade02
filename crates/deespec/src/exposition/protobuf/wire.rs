//! Just enough of the protobuf wire format to write messages: <https://protobuf.dev/programming-guides/encoding/>.
//!
//! Fields are written even where they hold 0: a reader of proto2 tells that from nothing.

/// Wire types: how the end of a field's value is found.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const DELIMITED: u32 = 2;

pub(super) fn uint(bytes: &mut Vec<u8>, field: u32, value: u64) {
    tag(bytes, field, VARINT);
    varint(bytes, value);
}

/// A `sint32` or `sint64`.
pub(super) fn sint(bytes: &mut Vec<u8>, field: u32, value: i64) {
    tag(bytes, field, VARINT);
    varint(bytes, zigzag(value));
}

pub(super) fn double(bytes: &mut Vec<u8>, field: u32, value: f64) {
    tag(bytes, field, FIXED64);
    bytes.extend_from_slice(&value.to_bits().to_le_bytes());
}

pub(super) fn string(bytes: &mut Vec<u8>, field: u32, value: &str) {
    tag(bytes, field, DELIMITED);
    varint(bytes, value.len() as u64);
    bytes.extend_from_slice(value.as_bytes());
}

/// Many numbers of type `sint64` in one field.
pub(super) fn packed(bytes: &mut Vec<u8>, field: u32, values: &[i64]) {
    message(bytes, field, |bytes| {
        for value in values {
            varint(bytes, zigzag(*value));
        }
    });
}

pub(super) fn message(bytes: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    tag(bytes, field, DELIMITED);
    delimited(bytes, write);
}

/// Writes something with its length in front.
pub(super) fn delimited(bytes: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let begin = bytes.len();
    // The length takes one byte as a rule. Where it takes more, what was written moves.
    bytes.push(0);
    write(bytes);
    let end = bytes.len();
    varint(bytes, (end - begin - 1) as u64);
    let size = bytes.len() - end;
    if size == 1 {
        bytes.swap_remove(begin);
    } else {
        bytes[begin..].rotate_right(size);
        bytes.remove(begin + size);
    }
}

fn tag(bytes: &mut Vec<u8>, field: u32, wire_type: u32) {
    varint(bytes, u64::from(field << 3 | wire_type));
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Maps numbers close to zero, negative ones too, to small ones.
fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}
