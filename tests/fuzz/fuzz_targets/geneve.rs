#![no_main]
libfuzzer_sys::fuzz_target!(|octets: &[u8]| mirrorscope_fuzz::geneve(octets));
