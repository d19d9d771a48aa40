//! Files that hang on messages: their bytes, and what is looked at in them.
//!
//! | here | lives |
//! |---|---|
//! | `depot` | where the bytes are: a folder, S3, GCS or Azure, chosen by URL |
//! | `intake` | the way of a file into the depot: what it is, whether it may be, what is left out |
//! | `kind` | what a file is, by its bytes, and which kinds are taken |
//! | `clean` | what is taken out of pictures as they pass |
//! | `preview` | the smaller picture and the blurred stand-in |
//!
//! Who may upload or see what, and what is known of a file, is not here: see `chat::attachments`
//! and [`store::Files`](crate::store::Files). What it keeps true: no file is ever whole in memory
//! but a picture whose preview is made, of which there are two at once at most; what is refused
//! leaves nothing behind.

mod clean;
mod depot;
mod intake;
mod kind;
mod preview;

pub use clean::{MAX_PIXELS, MAX_SIDE};
pub use depot::{Bytes, Depot, Failure, OpenError, PIECE, Part, Place};
pub use intake::{Intake, Whole};
pub use kind::is_shown_inline;
pub use preview::{Preview, THUMBNAIL_TYPE, preview};

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Its bytes are of no kind that is taken.
    #[error("a file of this kind is not taken")]
    Type,
    /// It is a picture that is not as its kind must be, or is cut short.
    #[error("{0}")]
    Broken(&'static str),
    /// It is a picture over [`MAX_PIXELS`] or [`MAX_SIDE`].
    #[error("a picture of too many pixels")]
    Pixels,
    /// It has more or fewer bytes than was said.
    #[error("not as many bytes as was said")]
    Size,
    /// Its bytes cannot be kept.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// What any bytes become as a file: refused; or clean, the same however they came, and a picture
/// that does no harm to who decodes it. Bytes that begin with 1 to 4 change a picture of that format
/// here and there, which bytes drawn by chance would hardly ever be.
#[cfg(fuzzing)]
pub fn fuzz_file(data: &[u8]) {
    let [first, portion, file @ ..] = data else { return };
    match fuzz::picture(*first) {
        Some(picture) => fuzz::look(&fuzz::changed(picture, file), *portion),
        None => fuzz::look(file, *portion),
    }
}

#[cfg(fuzzing)]
mod fuzz {
    use std::io::Cursor;

    use image::{ImageFormat, Rgb, RgbImage};

    use super::{clean, kind, preview};

    pub(super) fn picture(of: u8) -> Option<Vec<u8>> {
        let formats = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP];
        let format = formats.get(usize::from(of).checked_sub(1)?)?;
        let image = RgbImage::from_fn(12, 9, |x, y| Rgb([x as u8 * 20, y as u8 * 25, 90]));
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, *format).ok()?;
        Some(bytes.into_inner())
    }

    /// Each four bytes say where a byte is changed, put in, or all cut off.
    pub(super) fn changed(mut file: Vec<u8>, how: &[u8]) -> Vec<u8> {
        for how in how.chunks_exact(4) {
            let at = usize::from(u16::from_be_bytes([how[0], how[1]])) % file.len().max(1);
            match how[2] % 8 {
                0 => file.truncate(at),
                1 => file.insert(at, how[3]),
                _ if file.is_empty() => {}
                _ => file[at] = how[3],
            }
        }
        file
    }

    pub(super) fn look(file: &[u8], portion: u8) {
        let Some(kind) = kind::of(&file[..file.len().min(kind::HEAD)]) else { return };
        let kept = |bytes: &[u8], portion: usize| {
            let (mut filter, mut kept) = (clean::filter(kind), Vec::new());
            for bytes in bytes.chunks(portion.max(1)) {
                filter.push(bytes, &mut kept).ok()?;
            }
            filter.finish().ok().map(|pixels| (kept, pixels))
        };
        let whole = kept(file, file.len());
        assert_eq!(kept(file, portion.into()), whole, "by portions of {portion}");
        let Some((clean, pixels)) = whole else { return };
        assert_eq!(kept(&clean, clean.len()), Some((clean.clone(), pixels)), "clean is clean");
        if pixels.is_some_and(|(width, height)| u64::from(width) * u64::from(height) < 250_000) {
            let _made = preview(&clean);
        }
    }
}
