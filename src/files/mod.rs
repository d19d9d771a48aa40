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
