//! The header `traceparent`: the trace that a caller is in, as W3C Trace Context has it.

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};

/// Whose work a call is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parent {
    pub(super) trace: [u8; 16],
    span: [u8; 8],
    /// The caller records it.
    pub(super) sampled: bool,
}

impl Parent {
    pub(super) fn context(&self) -> Context {
        let (trace, span) = (TraceId::from_bytes(self.trace), SpanId::from_bytes(self.span));
        let flags = TraceFlags::default().with_sampled(self.sampled);
        let place = SpanContext::new(trace, span, flags, true, TraceState::NONE);
        Context::new().with_remote_span_context(place)
    }
}

/// `None`: there is none, or one that says nothing, and then the call begins a trace.
pub(super) fn of(headers: &HeaderMap) -> Option<Parent> {
    let mut given = headers.get_all("traceparent").iter();
    let (Some(one), None) = (given.next(), given.next()) else { return None };
    read(one.to_str().ok()?)
}

/// `00-<trace>-<span>-<flags>`; a later version may have more behind it.
fn read(text: &str) -> Option<Parent> {
    let mut parts = text.split('-');
    let [version] = hex(parts.next()?)?;
    let (trace, span) = (hex(parts.next()?)?, hex(parts.next()?)?);
    let [flags] = hex(parts.next()?)?;
    let whole = version != 0xff && (version > 0 || parts.next().is_none());
    let names = trace != [0; 16] && span != [0; 8];
    (whole && names).then_some(Parent { trace, span, sampled: flags & 1 == 1 })
}

/// Exactly so many bytes, in small letters.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let text = text.as_bytes();
    if text.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn a_parent_is_read_as_it_is_written() {
        let parent = read(&format!("00-{TRACE}-{SPAN}-01")).unwrap();
        assert!(parent.sampled);
        assert_eq!(parent.trace[..2], [0x4b, 0xf9]);
        assert!(!read(&format!("00-{TRACE}-{SPAN}-00")).unwrap().sampled);
        assert!(read(&format!("01-{TRACE}-{SPAN}-03-more")).unwrap().sampled, "a later version");
    }

    #[test]
    fn what_says_nothing_is_none() {
        let zeros = "0".repeat(32);
        for bad in [
            String::new(),
            "00".to_owned(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}0-{SPAN}-01"),
        ] {
            assert_eq!(read(&bad), None, "{bad}");
        }
        let mut two = HeaderMap::new();
        for _ in 0..2 {
            two.append("traceparent", format!("00-{TRACE}-{SPAN}-01").parse().unwrap());
        }
        assert_eq!(of(&two), None);
    }

    proptest! {
        #[test]
        fn no_text_does_harm(text: String) {
            let _ = read(&text);
        }
    }
}
