//! What a file is: what its bytes say, whatever its name says.

use infer::MatcherType;

/// As much of a file is looked at: documents of offices are archives that tell what they are in
/// the names of their first entries.
pub(super) const HEAD: usize = 64 * 1024;

/// What is taken, as `infer` calls it, and as we do.
const TAKEN: [(&str, &str); 21] = [
    ("image/jpeg", "image/jpeg"),
    ("image/png", "image/png"),
    ("image/gif", "image/gif"),
    ("image/webp", "image/webp"),
    ("video/mp4", "video/mp4"),
    ("video/x-m4v", "video/mp4"),
    ("video/webm", "video/webm"),
    ("video/quicktime", "video/quicktime"),
    ("audio/mpeg", "audio/mpeg"),
    ("audio/m4a", "audio/mp4"),
    ("audio/ogg", "audio/ogg"),
    ("audio/opus", "audio/ogg"),
    ("audio/x-wav", "audio/wav"),
    ("application/pdf", "application/pdf"),
    ("application/zip", "application/zip"),
    (DOCX, DOCX),
    (XLSX, XLSX),
    (PPTX, PPTX),
    (ODT, ODT),
    (ODS, ODS),
    (ODP, ODP),
];

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const PPTX: &str = "application/vnd.openxmlformats-officedocument.presentationml.presentation";
const ODT: &str = "application/vnd.oasis.opendocument.text";
const ODS: &str = "application/vnd.oasis.opendocument.spreadsheet";
const ODP: &str = "application/vnd.oasis.opendocument.presentation";

/// What a file with this beginning is; `None`: nothing that is taken. Of text its filter has the
/// last word.
pub(super) fn of(head: &[u8]) -> Option<&'static str> {
    let kind = infer::get(head);
    let name = kind.map(|kind| kind.mime_type());
    if let Some((_, ours)) = TAKEN.iter().find(|(theirs, _)| Some(*theirs) == name) {
        return Some(ours);
    }
    // Some kinds are known by two letters alone, and so is no text that begins with them.
    let markup = kind.is_some_and(|kind| kind.matcher_type() == MatcherType::Text);
    (!markup && looks_like_text(head)).then_some("text/plain")
}

/// Not what some program would take for markup or a script.
fn looks_like_text(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let markup = head.strip_prefix(b"<").and_then(|rest| rest.first());
    let markup = markup.is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, b'!' | b'?' | b'/'));
    !head.is_empty() && !markup && !head.starts_with(b"#!") && !head.contains(&0)
}

/// Whether a browser may show it where it stands: what cannot run anything.
pub fn is_shown_inline(content_type: &str) -> bool {
    ["image/", "audio/", "video/"].iter().any(|family| content_type.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_say_what_a_file_is() {
        let cases: [(&[u8], Option<&str>); 16] = [
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Some("image/jpeg")),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Some("image/png")),
            (b"GIF89a\x01\0\x01\0", Some("image/gif")),
            (b"RIFF\x24\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"RIFF\x24\0\0\0WAVEfmt ", Some("audio/wav")),
            (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", Some("video/mp4")),
            (b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42", Some("audio/mp4")),
            (b"ID3\x03\0\0\0\0\0\0", Some("audio/mpeg")),
            (b"%PDF-1.7\n", Some("application/pdf")),
            ("কেমন আছ?\n".as_bytes(), Some("text/plain")),
            (b"<!DOCTYPE html><script>alert(1)</script>", None),
            (b"\n  <svg xmlns=\"http://www.w3.org/2000/svg\"/>", None),
            (b"<?xml version=\"1.0\"?><svg/>", None),
            (b"#!/bin/sh\nrm -rf /", None),
            (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0", None),
            (b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff", None),
        ];
        for (head, kind) in cases {
            assert_eq!(of(head), kind, "{:?}", String::from_utf8_lossy(head));
        }
        for text in [&b"I <3 you"[..], b"BM is how a bitmap begins", b"MZ, too"] {
            assert_eq!(of(text), Some("text/plain"));
        }
        assert_eq!(of(b""), None);
    }
}
