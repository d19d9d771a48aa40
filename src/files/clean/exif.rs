//! Which way up a picture is: the one thing that is kept of its Exif data.
//!
//! Exif 2.3, 4.6; the tag is 0x0112. Written anew, so that nothing else comes with it.

use image::metadata::Orientation;

/// Bytes of what [`minimal`] makes.
pub(super) const MINIMAL: usize = 26;
/// The same, as lengths are written in JPEG and PNG.
pub(super) const MINIMAL_U8: u8 = 26;
pub(super) const MINIMAL_U32: u32 = 26;

/// The orientation, 1 to 8, that some Exif data (from its TIFF header on) tells; 1 if none.
pub(super) fn orientation(tiff: &[u8]) -> u8 {
    Orientation::from_exif_chunk(tiff).map_or(1, Orientation::to_exif)
}

/// Whether width and height change places when it is shown.
pub(super) fn is_turned(orientation: u8) -> bool {
    (5..=8).contains(&orientation)
}

/// Exif data that tells the orientation and nothing else, from its TIFF header on.
pub(super) fn minimal(orientation: u8) -> [u8; MINIMAL] {
    let mut tiff = *b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0";
    tiff[19] = orientation;
    tiff
}
