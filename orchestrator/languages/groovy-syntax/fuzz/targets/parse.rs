//! Any bytes that are text: the parser returns, its positions lie in the text, and a tree has a bounded depth.

#![no_main]

use haliotis_groovy_syntax::limits::MAX_DEPTH;
use haliotis_groovy_syntax::parse;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse(text, "fuzz") {
        Ok(script) => assert!(script.body.depth() <= MAX_DEPTH + 1000),
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in errors {
                assert!(error.span.start <= error.span.end && error.span.end as usize <= text.len());
                assert!(error.start.line >= 1 && error.start.column >= 1 && error.start <= error.end);
            }
        }
    }
});
