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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_stands_in_front_of_what_it_counts_whatever_its_size() {
        for (length, prefix) in [
            (0, &[0][..]),
            (1, &[1]),
            (127, &[127]),
            (128, &[0x80, 1]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 1]),
        ] {
            let content: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
            let mut bytes = vec![b'<'];
            delimited(&mut bytes, |bytes| bytes.extend_from_slice(&content));
            assert!(bytes == [b"<", prefix, &content].concat(), "{length}");
        }
    }

    #[test]
    fn numbers_are_written_as_the_format_has_them() {
        let written = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = Vec::new();
            write(&mut bytes);
            bytes
        };
        assert_eq!(written(&|bytes| uint(bytes, 1, 150)), [0x08, 0x96, 0x01]);
        assert_eq!(
            written(&|bytes| uint(bytes, 15, u64::MAX)),
            [&[0x78][..], &[0xff; 9], &[1]].concat()
        );
        assert_eq!(
            written(&|bytes| string(bytes, 2, "testing"))[..2],
            [0x12, 7]
        );
        assert_eq!(
            written(&|bytes| double(bytes, 6, 1.0)),
            [0x31, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]
        );
        assert_eq!(
            written(&|bytes| packed(bytes, 16, &[0, -1, 1, -2])),
            [0x82, 1, 4, 0, 1, 2, 3]
        );
        let widest = written(&|bytes| sint(bytes, 1, i64::MIN));
        assert_eq!(widest, [&[0x08][..], &[0xff; 9], &[1]].concat());
    }
}
