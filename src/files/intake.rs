//! The way of a file into the depot.
//!
//! Bytes come in any portions. Once there are enough to say what it is, and it is of a kind that
//! is taken, they pass its filter and go to the depot piece by piece.

use uuid::Uuid;

use super::clean::{Filter, filter};
use super::depot::{Bytes, Depot, PIECE, Part, Place};
use super::{Refused, kind};

/// A file on its way in. Dropping it leaves behind what was written: see [`Intake::abandon`].
pub struct Intake {
    depot: Depot,
    file: Uuid,
    body: Uuid,
    /// How many bytes are to come.
    said: u64,
    came: u64,
    /// The beginning, until it is known what it is.
    head: Vec<u8>,
    kind: Option<(&'static str, Box<dyn Filter>)>,
    /// What waits for the depot: less than a piece, between calls.
    piece: Vec<u8>,
    pieces: u32,
    kept: u64,
}

/// A file that is in the depot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Where.
    pub body: Uuid,
    /// What it is.
    pub content_type: &'static str,
    /// Bytes, after what was taken out.
    pub size: u64,
    /// Of a picture: pixels, as it is to be shown.
    pub pixels: Option<(u32, u32)>,
}

impl Intake {
    /// A file of which `said` bytes are to come. `body` is the id of this attempt: it is used
    /// for no other.
    pub fn new(depot: Depot, file: Uuid, body: Uuid, said: u32) -> Self {
        Self {
            depot,
            file,
            body,
            said: said.into(),
            came: 0,
            head: Vec::new(),
            kind: None,
            piece: Vec::new(),
            pieces: 0,
            kept: 0,
        }
    }

    /// Takes the next bytes. After an error there is nothing more to do but to abandon it.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.came += bytes.len() as u64;
        if self.came > self.said {
            return Err(Refused::Size);
        }
        if self.kind.is_some() {
            return self.pass(bytes).await;
        }
        self.head.extend_from_slice(bytes);
        if self.head.len() >= kind::HEAD { self.look().await } else { Ok(()) }
    }

    /// There are no more bytes.
    pub async fn finish(&mut self) -> Result<Whole, Refused> {
        if self.came != self.said {
            return Err(Refused::Size);
        }
        if self.kind.is_none() {
            self.look().await?;
        }
        let Some((content_type, filter)) = &mut self.kind else { return Err(Refused::Type) };
        let (content_type, pixels) = (*content_type, filter.finish()?);
        if !self.piece.is_empty() {
            let last = std::mem::take(&mut self.piece);
            self.write(last).await?;
        }
        Ok(Whole { body: self.body, content_type, size: self.kept, pixels })
    }

    /// Takes away what was written.
    pub async fn abandon(self) {
        if self.pieces > 0
            && let Err(error) = self.depot.remove_body(self.file, self.body).await
        {
            // It goes with the file.
            tracing::warn!(%error, file = %self.file, "what was refused is still there");
        }
    }

    /// Says what it is by its beginning.
    async fn look(&mut self) -> Result<(), Refused> {
        let head = std::mem::take(&mut self.head);
        let kind = kind::of(&head).ok_or(Refused::Type)?;
        self.kind = Some((kind, filter(kind)));
        self.pass(&head).await
    }

    async fn pass(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        // Portions may be large, and pieces are written one by one.
        for bytes in bytes.chunks(kind::HEAD) {
            let Some((_, filter)) = &mut self.kind else { return Err(Refused::Type) };
            filter.push(bytes, &mut self.piece)?;
            while self.piece.len() >= PIECE {
                let rest = self.piece.split_off(PIECE);
                let piece = std::mem::replace(&mut self.piece, rest);
                self.write(piece).await?;
            }
        }
        Ok(())
    }

    async fn write(&mut self, piece: Vec<u8>) -> Result<(), Refused> {
        let part = Part::Piece(self.pieces);
        self.pieces += 1;
        self.kept += piece.len() as u64;
        let place = Place { file: self.file, body: self.body, part };
        Ok(self.depot.put(place, Bytes::from(piece)).await?)
    }
}
