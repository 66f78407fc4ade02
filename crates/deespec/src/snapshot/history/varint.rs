//! Numbers of as few bytes as they need, and how neighbours of a column become small numbers.

/// Appends a number: seven bits a byte, the lowest first.
pub(super) fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a number off the front; `None` where there is none, or one that is written with more bytes than
/// it needs.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for place in 0..10 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has one bit only.
        if place == 9 && byte > 1 {
            return None;
        }
        number |= bits << (7 * place);
        if byte < 0x80 {
            return (byte != 0 || place == 0).then_some(number);
        }
    }
    None
}

/// What a count is written as: its difference to the one before.
pub(super) fn from_count(count: u64, before: u64) -> u64 {
    let difference = count.wrapping_sub(before).cast_signed();
    ((difference << 1) ^ (difference >> 63)).cast_unsigned()
}

pub(super) fn to_count(written: u64, before: u64) -> u64 {
    let sign = (written & 1).wrapping_neg();
    before.wrapping_add((written >> 1) ^ sign)
}

/// What the bits of a floating-point number are written as. Numbers that are whole, or have few digits
/// in base 2, end in zeros, which the reversal puts where they cost nothing.
pub(super) fn from_float(bits: u64, before: u64) -> u64 {
    (bits ^ before).reverse_bits()
}

pub(super) fn to_float(written: u64, before: u64) -> u64 {
    written.reverse_bits() ^ before
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_reads_back_and_so_does_what_follows_from_its_neighbour(one: u64, other: u64) {
            let mut bytes = Vec::new();
            put(&mut bytes, one);
            put(&mut bytes, other >> 40);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(take(&mut rest), Some(one));
            prop_assert_eq!(take(&mut rest), Some(other >> 40));
            prop_assert!(rest.is_empty());
            prop_assert_eq!(to_count(from_count(one, other), other), one);
            prop_assert_eq!(to_float(from_float(one, other), other), one);
        }
    }

    #[test]
    fn small_changes_are_small_and_no_number_is_written_in_two_ways() {
        assert_eq!((from_count(7, 5), from_count(5, 7)), (4, 3));
        assert_eq!(from_float(3.0_f64.to_bits(), 3.0_f64.to_bits()), 0);
        for wasteful in [&[0x80, 0][..], &[0x80], &[0xff; 11], &[0xff, 0xff, 0x80, 0]] {
            assert_eq!(take(&mut &*wasteful), None);
        }
        let mut most = vec![0xff; 9];
        most.push(1);
        assert_eq!(take(&mut most.as_slice()), Some(u64::MAX));
        most[9] = 2;
        assert_eq!(take(&mut most.as_slice()), None);
    }
}
