//! See `adda::fuzz::files`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| adda::fuzz::files(data));
