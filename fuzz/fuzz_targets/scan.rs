//! Checks that `scan` and serde_json accept the same texts.
#![no_main]

mod oracle;

use libfuzzer_sys::fuzz_target;
use nullink::Syntax;
use nullink::idl::Definition;
use nullink::json::scan;

fuzz_target!(|data: &[u8]| {
    if oracle::useless(data) {
        return;
    }
    match scan(data) {
        Ok(()) => assert!(oracle::value(data).is_some()),
        Err(error) if error.kind == Syntax::Depth => {
            assert!(oracle::depth(&data[..=error.offset]) > Definition::MAX_DEPTH);
        }
        Err(error) => {
            assert!(error.offset <= data.len());
            assert_eq!(oracle::value(data), None, "{error}");
        }
    }
});
