//! What all targets share: a limit on memory.

#[doc(hidden)]
pub use libfuzzer_sys::fuzz_target;

/// Most bytes that one input may make a decoder hold at once.
const MEMORY: usize = 64 << 20;

/// Whoever asks for more gets none, which ends the process: the fuzzer then keeps the input.
#[global_allocator]
static ALLOCATOR: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, MEMORY);

/// The entry point of a target, which panics when a decoder breaks its word.
#[macro_export]
macro_rules! target {
    (|$input:ident| $body:expr) => {
        $crate::fuzz_target!(|$input: &[u8]| $body);
    };
}
