//! The smaller picture, and the blurred stand-in that is shown until any picture has come.
//!
//! Decoding takes some hundred milliseconds and up to 160 MB: who calls this does so on a thread
//! that may block, and not often at once.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder as _, ImageReader, Limits, Rgb, RgbImage};

use super::clean::MAX_SIDE;

/// The longest side of the smaller picture.
const SIDE: u32 = 480;
/// Of its JPEG.
const QUALITY: u8 = 80;
/// What the stand-in is made of: it has no more detail than this.
const BLUR_SIDE: u32 = 32;
/// Parts of the stand-in each way: 28 characters.
const BLUR_PARTS: (u32, u32) = (4, 3);
/// What decoding one picture may allocate: its pixels twice would be more.
const MAX_MEMORY: u64 = 192 * 1024 * 1024;

/// What [`preview`] makes the smaller picture in.
pub const THUMBNAIL_TYPE: &str = "image/jpeg";

/// What is made of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// As a JPEG, right way up.
    pub thumbnail: Vec<u8>,
    /// See https://blurha.sh.
    pub blurhash: String,
}

/// Makes them; `None`: the picture cannot be decoded.
pub fn preview(bytes: &[u8]) -> Option<Preview> {
    let small = on_white(&decoded(bytes)?);
    let mut thumbnail = Vec::new();
    small.write_with_encoder(JpegEncoder::new_with_quality(&mut thumbnail, QUALITY)).ok()?;
    let tiny = no_larger(DynamicImage::from(small), BLUR_SIDE).to_rgba8();
    let (across, down) = BLUR_PARTS;
    let blurhash = blurhash::encode(across, down, tiny.width(), tiny.height(), &tiny).ok()?;
    Some(Preview { thumbnail, blurhash })
}

/// Right way up, and no larger than it is to be.
fn decoded(bytes: &[u8]) -> Option<DynamicImage> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    reader.limits(limits);
    let mut decoder = reader.into_decoder().ok()?;
    let orientation = decoder.orientation().ok()?;
    if decoder.total_bytes() > MAX_MEMORY {
        return None;
    }
    let mut image = DynamicImage::from_decoder(decoder).ok()?;
    // It is made smaller first where that spares a copy of all its pixels.
    image = no_larger(image, SIDE);
    image.apply_orientation(orientation);
    Some(image)
}

fn no_larger(image: DynamicImage, side: u32) -> DynamicImage {
    if image.width().max(image.height()) > side { image.thumbnail(side, side) } else { image }
}

/// Without transparency, which a JPEG has not.
fn on_white(image: &DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.to_rgb8();
    }
    let image = image.to_rgba8();
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [red, green, blue, alpha] = image.get_pixel(x, y).0;
        let over = |part: u8| {
            let part = u32::from(part) * u32::from(alpha) + 255 * (255 - u32::from(alpha));
            u8::try_from(part / 255).unwrap_or(u8::MAX)
        };
        Rgb([over(red), over(green), over(blue)])
    })
}
