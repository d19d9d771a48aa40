//! WebP: a RIFF file of chunks.
//!
//! Its first bytes tell the length of the whole, which has passed before it is known what will be
//! taken out. So what goes keeps its place: it is overwritten, with nothing, or, of Exif, with the
//! orientation (RFC 9649, 2.5 and 2.7).

use super::{Filter, Gathered, Refused, exif, little, measured};

/// Chunks that stay.
const KEPT: [&[u8; 4]; 7] = [b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"];
/// What an overwritten chunk is called: readers pass over what they do not know.
const NOTHING: &[u8; 4] = b"JUNK";
/// "There is XMP" in the first byte of VP8X.
const XMP_FLAG: u8 = 0x04;
/// Exif data that is longer is not looked at.
const MAX_EXIF: u64 = 64 * 1024;

#[derive(Clone, Copy, Default)]
enum At {
    #[default]
    Riff,
    /// Where a chunk must begin.
    Chunk,
    /// The beginning of the first chunk, which tells the size of the picture.
    Size([u8; 4], u64),
    /// Exif data of this length, gathered whole.
    Exif(u64),
    /// What is left of a chunk, and whether it stays.
    Rest(u64, bool),
}

#[derive(Default)]
pub(super) struct Webp {
    at: At,
    gathered: Gathered,
    /// What is left of the whole after this chunk.
    left: u64,
    size: Option<(u32, u32)>,
    orientation: u8,
}

impl Filter for Webp {
    fn push(&mut self, mut bytes: &[u8], kept: &mut Vec<u8>) -> Result<(), Refused> {
        while !bytes.is_empty() {
            match self.at {
                At::Riff => self.riff(&mut bytes, kept),
                // What follows the end goes.
                At::Chunk if self.left == 0 => return Ok(()),
                At::Chunk => self.chunk(&mut bytes, kept)?,
                At::Size(name, length) => self.size(name, length, &mut bytes, kept)?,
                At::Exif(length) => self.exif(length, &mut bytes, kept),
                At::Rest(left, stays) => {
                    let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    if stays {
                        kept.extend_from_slice(&bytes[..count]);
                    } else {
                        kept.resize(kept.len() + count, 0);
                    }
                    bytes = &bytes[count..];
                    let left = left - count as u64;
                    self.at = if left == 0 { At::Chunk } else { At::Rest(left, stays) };
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<(u32, u32)>, Refused> {
        let whole = matches!(self.at, At::Chunk) && self.left == 0;
        let (true, Some((width, height))) = (whole, self.size) else {
            return Err(Refused::Broken("a WebP that is cut short"));
        };
        let turned = exif::is_turned(self.orientation);
        Ok(Some(if turned { (height, width) } else { (width, height) }))
    }
}

impl Webp {
    fn riff(&mut self, bytes: &mut &[u8], kept: &mut Vec<u8>) {
        if !self.gathered.fill(bytes, 12) {
            return;
        }
        let mut head = self.gathered.take();
        let length = little(&head[4..]);
        // A length is even; that of some writers is not.
        self.left = u64::from(length + length % 2).saturating_sub(4);
        head[4..8].copy_from_slice(&(length + length % 2).to_le_bytes());
        kept.extend_from_slice(&head);
        self.at = At::Chunk;
    }

    fn chunk(&mut self, bytes: &mut &[u8], kept: &mut Vec<u8>) -> Result<(), Refused> {
        if !self.gathered.fill(bytes, 8) {
            return Ok(());
        }
        let head = self.gathered.take();
        let name = [head[0], head[1], head[2], head[3]];
        // Chunks are filled up to an even length.
        let length = u64::from(little(&head[4..]));
        let length = length + length % 2;
        let Some(left) = self.left.checked_sub(8 + length) else {
            return Err(Refused::Broken("a chunk of a WebP that is longer than the whole"));
        };
        self.left = left;
        if self.size.is_none() {
            kept.extend_from_slice(&head);
            self.at = At::Size(name, length);
        } else if name == *b"EXIF" && (exif::MINIMAL as u64..=MAX_EXIF).contains(&length) {
            kept.extend_from_slice(&head);
            self.at = At::Exif(length);
        } else {
            let stays = KEPT.contains(&&name);
            kept.extend_from_slice(if stays { &name } else { NOTHING });
            kept.extend_from_slice(&head[4..]);
            self.at = if length == 0 { At::Chunk } else { At::Rest(length, stays) };
        }
        Ok(())
    }

    fn size(
        &mut self,
        name: [u8; 4],
        length: u64,
        bytes: &mut &[u8],
        kept: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        const ENOUGH: usize = 10;
        if length < ENOUGH as u64 {
            return Err(Refused::Broken("a WebP without a size"));
        }
        if !self.gathered.fill(bytes, ENOUGH) {
            return Ok(());
        }
        let mut head = self.gathered.take();
        let (width, height) = match &name {
            b"VP8X" => {
                head[0] &= !XMP_FLAG;
                let side = |at: usize| 1 + (little(&head[at..]) & 0x00ff_ffff);
                (
                    side(4),
                    1 + u32::from(head[7]) + (u32::from(head[8]) << 8) + (u32::from(head[9]) << 16),
                )
            }
            b"VP8 " => {
                let side = |at: usize| u32::from(u16::from_le_bytes([head[at], head[at + 1]]));
                (side(6) & 0x3fff, side(8) & 0x3fff)
            }
            b"VP8L" => {
                let packed = little(&head[1..]);
                (1 + (packed & 0x3fff), 1 + (packed >> 14 & 0x3fff))
            }
            _ => return Err(Refused::Broken("a WebP without a picture")),
        };
        self.size = Some(measured(width, height)?);
        kept.extend_from_slice(&head);
        let left = length - ENOUGH as u64;
        self.at = if left == 0 { At::Chunk } else { At::Rest(left, true) };
        Ok(())
    }

    fn exif(&mut self, length: u64, bytes: &mut &[u8], kept: &mut Vec<u8>) {
        let want = usize::try_from(length).unwrap_or(0);
        if !self.gathered.fill(bytes, want) {
            return;
        }
        let data = self.gathered.take();
        // Some writers put the name of JPEG's segment before it.
        let tiff = data.strip_prefix(b"Exif\0\0").unwrap_or(&data);
        self.orientation = exif::orientation(tiff);
        let end = kept.len() + want;
        kept.extend_from_slice(&exif::minimal(self.orientation));
        kept.resize(end, 0);
        self.at = At::Chunk;
    }
}
