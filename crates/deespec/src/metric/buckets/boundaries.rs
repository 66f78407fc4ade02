//! Where the buckets of a native histogram end within one octave, from one value to its double.
//! The compiler computes everything here. Multiplication and division of floating-point numbers
//! give the same bits on every machine, a library's power function does not: two processes that
//! share a store must never disagree about a bound.

/// The finest schema: 256 buckets an octave.
pub(super) const FINEST: u8 = 8;
/// The lower 52 bits of a floating-point number.
pub(super) const MANTISSA: u64 = (1 << 52) - 1;

/// 2^(1/2), 2^(1/4) … 2^(1/256): each is the square root of the one before, rounded.
const ROOTS: [f64; FINEST as usize] = [
    std::f64::consts::SQRT_2,
    1.189207115002721,
    1.0905077326652577,
    1.0442737824274138,
    1.0218971486541166,
    1.0108892860517005,
    1.0054299011128027,
    1.0027112750502025,
];

/// The mantissas of 0.5 · 2^(k/256) for k from 0 to 255; schema s takes every 2^(8-s)-th.
///
/// Prometheus has these bounds as printed numbers, and some lie a few last digits away from the
/// true power. The product of roots in this order, with 1/√2 in front for the upper half, gives
/// its numbers to the last bit.
const OCTAVE: [u64; 1 << FINEST] = {
    let mut mantissas = [0; 1 << FINEST];
    let mut k = 0;
    while k < mantissas.len() {
        let mut bound = if k >= 128 { 1.0 / ROOTS[0] } else { 0.5 };
        let mut root = 1;
        while root < ROOTS.len() {
            if k & (128 >> root) != 0 {
                bound *= ROOTS[root];
            }
            root += 1;
        }
        mantissas[k] = bound.to_bits() & MANTISSA;
        k += 1;
    }
    mantissas
};

/// For each schema s from 0 to 8, at 2^(s+1) and the places after it: an octave cut into 2^(s+1)
/// slices of equal length. That is short enough that no slice has two bounds in it. A slice's word
/// has the number of bounds below the slice in its upper 12 bits, and in the lower 52 the mantissa
/// of the bound in it, or the largest mantissa when there is none.
static SLICES: [u64; 4 << FINEST] = {
    let mut slices = [0; 4 << FINEST];
    let mut schema = 0;
    while schema <= FINEST {
        let bounds = 1_usize << schema;
        let mut below = 0;
        let mut slice = 0;
        while slice < 2 * bounds {
            let end = (slice as u64 + 1) << (51 - schema);
            let mut word = (below as u64) << 52 | MANTISSA;
            if below < bounds {
                let bound = OCTAVE[below << (FINEST - schema)];
                if bound < end {
                    word = (below as u64) << 52 | bound;
                    below += 1;
                }
            }
            slices[2 * bounds + slice] = word;
            slice += 1;
        }
        schema += 1;
    }
    slices
};

/// How many of a schema's bounds lie strictly below this mantissa: 0 for a power of two, which
/// still belongs to the octave's last bucket before it.
#[inline]
pub(super) fn bounds_below(mantissa: u64, schema: u8) -> u64 {
    // With the implicit leading bit in front, the upper bits are the slice's place in the table.
    // The remainder changes nothing; it tells the compiler that the place is in the table.
    let place = ((mantissa | 1 << 52) >> (51 - schema)) as usize % SLICES.len();
    let word = SLICES[place];
    (word >> 52) + u64::from(mantissa > word & MANTISSA)
}

/// The mantissa of a schema's bound number `k` in an octave, for `k` from 0 to 2^schema - 1.
pub(super) fn mantissa(k: usize, schema: u8) -> u64 {
    OCTAVE[(k << (FINEST - schema)) % OCTAVE.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(k: usize, schema: u8) -> f64 {
        f64::from_bits(1022 << 52 | mantissa(k, schema))
    }

    #[test]
    fn each_root_is_the_square_root_of_the_one_before() {
        let mut root = 2.0_f64;
        for expected in ROOTS {
            root = root.sqrt();
            assert_eq!(root.to_bits(), expected.to_bits());
        }
    }

    #[test]
    fn the_bounds_are_those_that_prometheus_prints() {
        let printed: [f64; 4] = [
            0.5,
            0.5946035575013605,
            0.7071067811865475,
            0.8408964152537144,
        ];
        for (k, expected) in printed.into_iter().enumerate() {
            assert_eq!(bound(k, 2).to_bits(), expected.to_bits(), "{k}");
        }
        // Sqrt(0.5) rounds to another number: the case in which the way of computing it matters.
        assert_ne!(bound(1, 1).to_bits(), 0.5_f64.sqrt().to_bits());
        assert_eq!(bound(255, 8).to_bits(), 0.9972960560854698_f64.to_bits());
        let checksum = OCTAVE
            .iter()
            .fold(crc32fast::Hasher::new(), |mut crc, mantissa| {
                crc.update(&mantissa.to_le_bytes());
                crc
            });
        // Computed outside, from all 256 numbers as Prometheus' source code has them.
        assert_eq!(checksum.finalize(), 0x3bf2_c235);
    }

    #[test]
    fn the_bounds_are_powers_of_two_to_the_last_few_bits() {
        for k in 0..256 {
            let exact = 0.5 * (k as f64 / 256.0).exp2();
            assert!((bound(k, 8) / exact - 1.0).abs() < 2e-15, "{k}");
        }
    }

    #[test]
    fn the_table_of_slices_counts_what_a_walk_over_the_bounds_counts() {
        for schema in 0..=FINEST {
            let bounds: Vec<u64> = (0..1 << schema).map(|k| mantissa(k, schema)).collect();
            let slices = (0..2_u64 << schema).map(|slice| slice << (51 - schema));
            for place in bounds.iter().copied().chain(slices).chain([MANTISSA]) {
                for probe in [place.saturating_sub(1), place, (place + 1).min(MANTISSA)] {
                    let walked = bounds.iter().filter(|bound| **bound < probe).count() as u64;
                    assert_eq!(bounds_below(probe, schema), walked, "{schema} {probe:x}");
                }
            }
        }
    }
}
