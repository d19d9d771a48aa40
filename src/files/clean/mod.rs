//! Takes out of a picture what its maker did not mean to send: where it was taken, by whom, with
//! what, and an older version of it. Nothing is encoded anew: pixels, colour profiles and
//! animations stay as they are, and so does which way up it is.
//!
//! What comes is looked at piece by piece as it passes, so that a picture is never whole in
//! memory. Each filter also reads how large the picture is, refuses what is over the bounds
//! before anything decodes it, and what does not come to its proper end.

use super::Refused;

mod exif;
mod gif;
mod jpeg;
mod png;
mod text;
mod webp;

/// The longest side of a picture: what decoders and screens can still take.
pub const MAX_SIDE: u32 = 16_384;
/// Pixels of a picture: 160 MB once decoded. Phones make up to 50 or more only when asked to.
pub const MAX_PIXELS: u64 = 40_000_000;

/// What is kept of a file whose bytes pass.
pub(super) trait Filter: Send {
    /// Takes the next bytes, and puts those that stay behind `kept`.
    fn push(&mut self, bytes: &[u8], kept: &mut Vec<u8>) -> Result<(), Refused>;

    /// There are no more bytes. Answers the size of the picture as it is to be shown, if it is
    /// one.
    fn finish(&mut self) -> Result<Option<(u32, u32)>, Refused>;
}

/// The filter for files of this type.
pub(super) fn filter(content_type: &str) -> Box<dyn Filter> {
    match content_type {
        "image/jpeg" => Box::new(jpeg::Jpeg::default()),
        "image/png" => Box::new(png::Png::default()),
        "image/gif" => Box::new(gif::Gif::default()),
        "image/webp" => Box::new(webp::Webp::default()),
        "text/plain" => Box::new(text::Text::default()),
        _ => Box::new(Nothing),
    }
}

/// Takes nothing out.
struct Nothing;

impl Filter for Nothing {
    fn push(&mut self, bytes: &[u8], kept: &mut Vec<u8>) -> Result<(), Refused> {
        kept.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<(u32, u32)>, Refused> {
        Ok(None)
    }
}

/// The size of a picture, if it is one that can be decoded.
fn measured(width: u32, height: u32) -> Result<(u32, u32), Refused> {
    if width == 0 || height == 0 {
        return Err(Refused::Broken("a picture without pixels"));
    }
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(Refused::Pixels);
    }
    Ok((width, height))
}

/// Bytes that are gathered until there are enough of them.
#[derive(Default)]
struct Gathered(Vec<u8>);

impl Gathered {
    /// Takes from `bytes` what is missing to `want`; true: it is all there.
    fn fill(&mut self, bytes: &mut &[u8], want: usize) -> bool {
        let missing = want.saturating_sub(self.0.len()).min(bytes.len());
        let (taken, rest) = bytes.split_at(missing);
        self.0.extend_from_slice(taken);
        *bytes = rest;
        self.0.len() >= want
    }

    /// What was gathered; begins anew.
    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

/// Bytes that pass, or do not, without being looked at.
fn pass(left: &mut u64, bytes: &mut &[u8], kept: Option<&mut Vec<u8>>) {
    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    let (passing, rest) = bytes.split_at(count);
    if let Some(kept) = kept {
        kept.extend_from_slice(passing);
    }
    *left -= count as u64;
    *bytes = rest;
}

fn big(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn little(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests;
