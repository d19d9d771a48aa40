//! See `adda::fuzz::frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| adda::fuzz::frames(data));
