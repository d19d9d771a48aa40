//! PNG: a signature, then chunks, each with its length, its type and a checksum.
//!
//! Kept are the chunks that pixels, colours, transparency and animation need (PNG, third edition,
//! 11.2 and 11.3); of eXIf the orientation. Texts, times and what nobody knows go.

use super::{Filter, Gathered, Refused, big, exif, measured, pass};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Chunks that stay beside the critical ones.
const KEPT: [&[u8; 4]; 14] = [
    b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"pHYs", b"cICP", b"mDCV",
    b"cLLI", b"acTL", b"fcTL", b"fdAT",
];
/// An eXIf that is longer is not looked at.
const MAX_EXIF: u32 = 64 * 1024;

#[derive(Default)]
enum At {
    #[default]
    Signature,
    /// Where a chunk must begin.
    Chunk,
    /// The picture's header, or Exif data, of this length: gathered whole.
    Header,
    Exif(usize),
    /// The rest of a chunk, and whether it stays.
    Rest {
        left: u64,
        kept: bool,
        last: bool,
    },
    End,
}

#[derive(Default)]
pub(super) struct Png {
    at: At,
    gathered: Gathered,
    size: Option<(u32, u32)>,
    orientation: u8,
}

impl Filter for Png {
    fn push(&mut self, mut bytes: &[u8], kept: &mut Vec<u8>) -> Result<(), Refused> {
        while !bytes.is_empty() {
            match self.at {
                At::Signature => {
                    if self.gathered.fill(&mut bytes, SIGNATURE.len()) {
                        kept.extend_from_slice(&self.gathered.take());
                        self.at = At::Chunk;
                    }
                }
                At::Chunk => self.chunk(&mut bytes, kept)?,
                At::Header => self.header(&mut bytes, kept)?,
                At::Exif(length) => self.exif(length, &mut bytes, kept),
                At::Rest { ref mut left, kept: stays, last } => {
                    pass(left, &mut bytes, stays.then_some(&mut *kept));
                    if *left == 0 {
                        self.at = if last { At::End } else { At::Chunk };
                    }
                }
                At::End => return Ok(()),
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<(u32, u32)>, Refused> {
        let (At::End, Some((width, height))) = (&self.at, self.size) else {
            return Err(Refused::Broken("a PNG that is cut short"));
        };
        let turned = exif::is_turned(self.orientation);
        Ok(Some(if turned { (height, width) } else { (width, height) }))
    }
}

impl Png {
    fn chunk(&mut self, bytes: &mut &[u8], kept: &mut Vec<u8>) -> Result<(), Refused> {
        if !self.gathered.fill(bytes, 8) {
            return Ok(());
        }
        let length = big(&self.gathered.0);
        let name: [u8; 4] = [4, 5, 6, 7].map(|at| self.gathered.0[at]);
        if length > i32::MAX.unsigned_abs() {
            return Err(Refused::Broken("a chunk of a PNG that is too long"));
        }
        match (&name, self.size) {
            (b"IHDR", None) if length == 13 => {
                self.at = At::Header;
                return Ok(());
            }
            (b"IHDR", _) | (_, None) => return Err(Refused::Broken("a PNG without one header")),
            (b"eXIf", _) if length <= MAX_EXIF && self.orientation == 0 => {
                self.gathered.take();
                self.at = At::Exif(length as usize + 4);
                return Ok(());
            }
            _ => {}
        }
        // The case of its first letter says whether a decoder needs it.
        let stays = name[0].is_ascii_uppercase() || KEPT.contains(&&name);
        let head = self.gathered.take();
        if stays {
            kept.extend_from_slice(&head);
        }
        self.at = At::Rest { left: u64::from(length) + 4, kept: stays, last: name == *b"IEND" };
        Ok(())
    }

    fn header(&mut self, bytes: &mut &[u8], kept: &mut Vec<u8>) -> Result<(), Refused> {
        // Length and name, 13 bytes, the checksum.
        if !self.gathered.fill(bytes, 8 + 13 + 4) {
            return Ok(());
        }
        let header = self.gathered.take();
        self.size = Some(measured(big(&header[8..]), big(&header[12..]))?);
        kept.extend_from_slice(&header);
        self.at = At::Chunk;
        Ok(())
    }

    fn exif(&mut self, length: usize, bytes: &mut &[u8], kept: &mut Vec<u8>) {
        if !self.gathered.fill(bytes, length) {
            return;
        }
        self.at = At::Chunk;
        let tiff = self.gathered.take();
        self.orientation = exif::orientation(&tiff[..length - 4]);
        if self.orientation > 1 {
            let mut chunk = b"eXIf".to_vec();
            chunk.extend_from_slice(&exif::minimal(self.orientation));
            kept.extend_from_slice(&exif::MINIMAL_U32.to_be_bytes());
            kept.extend_from_slice(&chunk);
            kept.extend_from_slice(&crc32fast::hash(&chunk).to_be_bytes());
        }
    }
}
