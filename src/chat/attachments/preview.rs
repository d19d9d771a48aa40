//! Smaller pictures, made off the way of a call: a few at once, others wait, and who finds too
//! many waiting leaves it to the sweep.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Service;
use crate::chat::limits::PREVIEW_WITHIN;
use crate::error::Result;
use crate::files::{Bytes, Depot, PIECE, Part, Place, preview};
use crate::metrics::{self, Went};
use crate::model::AttachmentId;
use crate::store::File;

impl Service {
    /// Has the preview of a picture made, and waits for it, but not long.
    pub(super) async fn make_preview_soon(self: &Arc<Self>, id: AttachmentId) {
        let (made, is_made) = oneshot::channel();
        let service = Arc::clone(self);
        self.run(async move {
            let Ok(_waiting) = service.attachments.to_decode.try_acquire() else { return };
            if let Err(error) = service.make_preview(id).await {
                tracing::warn!(%error, file = %id, "a preview is made later");
            }
            // Who waited may have gone on.
            let _gone = made.send(());
        });
        // Late, or not at all, is as good as none.
        let _made = timeout(PREVIEW_WITHIN, is_made).await;
    }

    /// Makes the preview of a picture, if one is wanted.
    pub(super) async fn make_preview(&self, id: AttachmentId) -> Result<()> {
        let depot = self.depot()?;
        let Ok(_one_of_few) = self.attachments.decoding.acquire().await else { return Ok(()) };
        let file = self.store.files(&[id]).await?.pop();
        let Some(file) = file.filter(|file| file.wants_preview && !file.doomed) else {
            return Ok(());
        };
        let Some(body) = file.body else { return Ok(()) };
        let bytes = whole(depot, &file, body).await?;
        let decoded = tokio::task::spawn_blocking(move || preview(&bytes)).await;
        // A panic over a picture is as good as a picture that cannot be decoded.
        let made = decoded.unwrap_or_default();
        metrics::previews().of(if made.is_some() { Went::Well } else { Went::Badly }).inc();
        match made {
            Some(made) => {
                let place = Place { file: id.0, body, part: Part::Thumbnail };
                depot.put(place, made.thumbnail.into()).await?;
                self.store.put_preview(id, &made.blurhash, true).await?;
            }
            None => self.store.put_preview(id, "", false).await?,
        }
        Ok(())
    }
}

/// All of a picture: decoders jump back and forth in it.
async fn whole(depot: &Depot, file: &File, body: uuid::Uuid) -> Result<Vec<u8>> {
    let size = file.attachment.size as usize;
    let mut bytes = Vec::with_capacity(size);
    for number in 0..u32::try_from(size.div_ceil(PIECE)).unwrap_or(u32::MAX) {
        let place = Place { file: file.attachment.id.0, body, part: Part::Piece(number) };
        let piece: Bytes = depot.get_all(place).await?;
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}
