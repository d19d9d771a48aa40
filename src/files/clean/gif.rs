//! GIF: a screen, then blocks of blocks.
//!
//! GIF89a. Kept are images, their control and text, and the two extensions that say how often an
//! animation repeats; comments and what other applications have left go.

use super::{Filter, Gathered, Refused, measured};

/// Extensions of applications that stay.
const KEPT: [&[u8]; 2] = [b"NETSCAPE2.0", b"ANIMEXTS1.0"];

/// Labels of extensions.
const COMMENT: u8 = 0xfe;
const APPLICATION: u8 = 0xff;

#[derive(Clone, Copy, Default)]
enum At {
    #[default]
    Screen,
    /// Bytes that stay, then what comes next.
    Table(usize, Then),
    /// Where a block must begin.
    Block,
    Image,
    /// The label of an extension, and of an application its name.
    Extension,
    /// Blocks up to an empty one, and whether they stay.
    Blocks(bool),
    /// What is left of one of them.
    Inside(usize, bool),
    End,
}

#[derive(Clone, Copy)]
enum Then {
    Block,
    Blocks,
}

#[derive(Default)]
pub(super) struct Gif {
    at: At,
    gathered: Gathered,
    size: Option<(u32, u32)>,
}

impl Filter for Gif {
    fn push(&mut self, mut bytes: &[u8], kept: &mut Vec<u8>) -> Result<(), Refused> {
        while !bytes.is_empty() {
            match self.at {
                At::Screen => self.screen(&mut bytes, kept)?,
                At::Table(left, then) => {
                    let count = left.min(bytes.len());
                    kept.extend_from_slice(&bytes[..count]);
                    bytes = &bytes[count..];
                    self.at = match (left - count, then) {
                        (0, Then::Block) => At::Block,
                        (0, Then::Blocks) => At::Blocks(true),
                        (left, then) => At::Table(left, then),
                    };
                }
                At::Block => self.block(&mut bytes, kept)?,
                At::Image => self.image(&mut bytes, kept),
                At::Extension => self.extension(&mut bytes, kept),
                At::Blocks(stays) => {
                    let length = bytes[0];
                    bytes = &bytes[1..];
                    if stays {
                        kept.push(length);
                    }
                    self.at =
                        if length == 0 { At::Block } else { At::Inside(length.into(), stays) };
                }
                At::Inside(left, stays) => {
                    let count = left.min(bytes.len());
                    if stays {
                        kept.extend_from_slice(&bytes[..count]);
                    }
                    bytes = &bytes[count..];
                    let left = left - count;
                    self.at = if left == 0 { At::Blocks(stays) } else { At::Inside(left, stays) };
                }
                At::End => return Ok(()),
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<(u32, u32)>, Refused> {
        match self.at {
            At::End => Ok(self.size),
            _ => Err(Refused::Broken("a GIF that is cut short")),
        }
    }
}

/// Bytes of the table of colours that these flags tell of.
fn table(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

impl Gif {
    fn screen(&mut self, bytes: &mut &[u8], kept: &mut Vec<u8>) -> Result<(), Refused> {
        if !self.gathered.fill(bytes, 13) {
            return Ok(());
        }
        let head = self.gathered.take();
        let side = |at: usize| u32::from(u16::from_le_bytes([head[at], head[at + 1]]));
        self.size = Some(measured(side(6), side(8))?);
        kept.extend_from_slice(&head);
        self.at = At::Table(table(head[10]), Then::Block);
        if table(head[10]) == 0 {
            self.at = At::Block;
        }
        Ok(())
    }

    fn block(&mut self, bytes: &mut &[u8], kept: &mut Vec<u8>) -> Result<(), Refused> {
        let Some((&kind, rest)) = bytes.split_first() else { return Ok(()) };
        *bytes = rest;
        match kind {
            b',' => self.at = At::Image,
            b'!' => {
                self.at = At::Extension;
                return Ok(());
            }
            b';' => self.at = At::End,
            _ => return Err(Refused::Broken("a block that no GIF has")),
        }
        kept.push(kind);
        Ok(())
    }

    /// Its place and flags, its table of colours, the size of its codes, its blocks.
    fn image(&mut self, bytes: &mut &[u8], kept: &mut Vec<u8>) {
        if self.gathered.fill(bytes, 9) {
            let head = self.gathered.take();
            kept.extend_from_slice(&head);
            self.at = At::Table(table(head[8]) + 1, Then::Blocks);
        }
    }

    fn extension(&mut self, bytes: &mut &[u8], kept: &mut Vec<u8>) {
        if !self.gathered.fill(bytes, 1) {
            return;
        }
        let label = self.gathered.0[0];
        if label != APPLICATION {
            self.gathered.take();
            self.keep(label != COMMENT, &[label], kept);
            return;
        }
        // Its first block is its name, of 11 bytes.
        if !self.gathered.fill(bytes, 2) {
            return;
        }
        let length = usize::from(self.gathered.0[1]);
        if !self.gathered.fill(bytes, 2 + length) {
            return;
        }
        let head = self.gathered.take();
        let stays = KEPT.contains(&&head[2..]);
        self.keep(stays, &head, kept);
        if length == 0 {
            self.at = At::Block;
        }
    }

    fn keep(&mut self, stays: bool, head: &[u8], kept: &mut Vec<u8>) {
        if stays {
            kept.push(b'!');
            kept.extend_from_slice(head);
        }
        self.at = At::Blocks(stays);
    }
}
