//! What one PUT brings: all of a file, or a part of it that waits until the others are there.

use std::pin::pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};

use super::Service;
use super::upload::{Put, PutState};
use crate::chat::limits::UPLOAD_PART;
use crate::error::{Error, Result};
use crate::files::{Bytes, Depot, Intake, PIECE, Part, Place, Whole};
use crate::model::AttachmentId;
use crate::store::File;

/// A part begins where a piece does.
const _: () = assert!((UPLOAD_PART as usize).is_multiple_of(PIECE));

impl Service {
    /// Takes the bytes of a PUT that are expected now.
    pub(super) async fn take_put<S>(
        self: &Arc<Self>,
        depot: &Depot,
        file: &File,
        first: u32,
        length: u32,
        bytes: S,
    ) -> Result<PutState>
    where
        S: Stream<Item = Result<Bytes>> + Send + 'static,
    {
        let (id, size) = (file.attachment.id, file.attachment.size);
        if file.body.is_some() {
            // All of it came before; who asks again did not hear so.
            self.pass_over(bytes).await?;
            return Ok(state(file));
        }
        if size <= UPLOAD_PART {
            self.take_whole(depot, id, size, bytes).await?;
            return Ok(PutState { offset: size, whole: true });
        }
        let end = first + length;
        if end <= file.uploaded {
            self.pass_over(bytes).await?;
        } else {
            self.take_part(depot, id, first, length, bytes).await?;
            let at = self.store.advance_file(id, first, end).await?;
            if at.is_none_or(|at| at < end) {
                return Err(Error::attachment_not_found());
            }
        }
        if end < size {
            return Ok(PutState { offset: end, whole: false });
        }
        self.join_parts(depot, id, size).await?;
        Ok(PutState { offset: size, whole: true })
    }

    /// Reads what is there already, so that it is the answer that the client hears.
    async fn pass_over<S>(&self, bytes: S) -> Result<()>
    where
        S: Stream<Item = Result<Bytes>> + Send + 'static,
    {
        let mut bytes = pin!(self.watched(bytes));
        let mut left = u64::from(UPLOAD_PART);
        while let Some(bytes) = bytes.next().await {
            left = left.saturating_sub(bytes?.len() as u64);
            if left == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Puts a part aside as it comes.
    async fn take_part<S>(
        &self,
        depot: &Depot,
        id: AttachmentId,
        first: u32,
        length: u32,
        bytes: S,
    ) -> Result<()>
    where
        S: Stream<Item = Result<Bytes>> + Send + 'static,
    {
        let mut bytes = pin!(self.watched(bytes));
        let (mut came, mut piece) = (0, Vec::new());
        let mut number = first / PIECE_BYTES;
        while let Some(bytes) = bytes.next().await {
            let bytes = bytes?;
            came += bytes.len() as u64;
            if came > u64::from(length) {
                break;
            }
            piece.extend_from_slice(&bytes);
            while piece.len() >= PIECE {
                let rest = piece.split_off(PIECE);
                let full = std::mem::replace(&mut piece, rest);
                depot.put(raw(id, number), full.into()).await?;
                number += 1;
            }
        }
        if came != u64::from(length) {
            return Err(Error::field("Content-Range", "must be exactly the bytes that come"));
        }
        if !piece.is_empty() {
            depot.put(raw(id, number), piece.into()).await?;
        }
        Ok(())
    }

    /// All parts are there: they go the way of any file.
    async fn join_parts(
        self: &Arc<Self>,
        depot: &Depot,
        id: AttachmentId,
        size: u32,
    ) -> Result<()> {
        let mut intake = Intake::new(depot.clone(), id.0, self.clock.new_id(), size);
        let taken: Result<Whole> = async {
            for number in 0..size.div_ceil(PIECE_BYTES) {
                intake.push(&depot.get_all(raw(id, number)).await?).await?;
            }
            Ok(intake.finish().await?)
        }
        .await;
        self.noted(id, size, intake, taken).await?;
        if let Err(error) = depot.remove_body(id.0, id.0).await {
            // They go with the file.
            tracing::warn!(%error, file = %id, "parts of an upload stay for now");
        }
        Ok(())
    }
}

const PIECE_BYTES: u32 = 1024 * 1024;
const _: () = assert!(PIECE_BYTES as usize == PIECE);

/// Where a piece of a part waits.
fn raw(id: AttachmentId, number: u32) -> Place {
    Place { file: id.0, body: id.0, part: Part::Piece(number) }
}

/// How far an upload is. The last part is asked for again until the whole was looked at.
pub(super) fn state(file: &File) -> PutState {
    let last = (file.attachment.size.max(1) - 1) / UPLOAD_PART * UPLOAD_PART;
    match file.body {
        Some(_) => PutState { offset: file.uploaded, whole: true },
        None => PutState { offset: file.uploaded.min(last), whole: false },
    }
}

/// Where the bytes of a PUT begin and how many they are, if they are those that may come now.
pub(super) fn expected(file: &File, put: Put) -> Result<(u32, u32)> {
    // What it was said to be: of a whole one, what came.
    let size = if file.body.is_some() { file.uploaded } else { file.attachment.size };
    let whole = (0, u64::from(size).saturating_sub(1), u64::from(size));
    let (first, last, of) = put.range.unwrap_or(whole);
    let wrong = |what: &'static str| Err(Error::field("Content-Range", what));
    if of != u64::from(size) {
        return wrong("is of a file of another size");
    }
    let Ok(first) = u32::try_from(first) else { return wrong("is beyond the end of the file") };
    if first % UPLOAD_PART != 0 || first >= size {
        return wrong("does not begin where a part does");
    }
    let length = UPLOAD_PART.min(size - first);
    if last != u64::from(first + length) - 1 {
        return wrong("is not one part");
    }
    if put.length.is_some_and(|given| given != u64::from(length)) {
        return Err(Error::field("Content-Length", "is not the length of the part"));
    }
    if file.body.is_none() && first > file.uploaded {
        return wrong("comes before the part in front of it: ask for Upload-Offset");
    }
    Ok((first, length))
}
