//! See `adda::fuzz::text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| adda::fuzz::text(data));
