//! See `adda::fuzz::seqs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| adda::fuzz::seqs(data));
