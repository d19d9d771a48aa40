//! JPEG: a row of segments, then scans of entropy-coded data with more segments between.
//!
//! ITU-T T.81, annex B. Kept are the segments that decoders need, JFIF, Adobe's colour transform
//! and the ICC profile; of Exif the orientation. Everything else is metadata, and what follows
//! the end of the image (a second one with its own Exif, a video) goes as well.

use super::{Filter, Gathered, Refused, exif, measured};

#[derive(Default)]
enum At {
    /// Where a marker must begin.
    #[default]
    Marker,
    /// In a segment, whose marker this is.
    Segment(u8),
    /// In entropy-coded data; true: the byte before was 0xFF.
    Scan(bool),
    End,
}

#[derive(Default)]
pub(super) struct Jpeg {
    at: At,
    gathered: Gathered,
    begun: bool,
    size: Option<(u32, u32)>,
    orientation: Option<u8>,
}

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;

impl Filter for Jpeg {
    fn push(&mut self, mut bytes: &[u8], kept: &mut Vec<u8>) -> Result<(), Refused> {
        while !bytes.is_empty() {
            match self.at {
                At::Marker => self.marker(&mut bytes, kept)?,
                At::Segment(marker) => self.segment(marker, &mut bytes, kept)?,
                At::Scan(escaped) => self.scan(escaped, &mut bytes, kept)?,
                At::End => return Ok(()),
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<(u32, u32)>, Refused> {
        let (At::End, Some((width, height))) = (&self.at, self.size) else {
            return Err(Refused::Broken("a JPEG that is cut short"));
        };
        let turned = exif::is_turned(self.orientation.unwrap_or(1));
        Ok(Some(if turned { (height, width) } else { (width, height) }))
    }
}

impl Jpeg {
    /// 0xFF, as often as one likes, then the marker.
    fn marker(&mut self, bytes: &mut &[u8], kept: &mut Vec<u8>) -> Result<(), Refused> {
        let Some((&byte, rest)) = bytes.split_first() else { return Ok(()) };
        *bytes = rest;
        if self.gathered.0.is_empty() {
            if byte != 0xff {
                return Err(Refused::Broken("no marker where a JPEG must have one"));
            }
            self.gathered.0.push(byte);
            return Ok(());
        }
        if byte == 0xff {
            return Ok(());
        }
        self.gathered.take();
        self.begin(byte, kept)
    }

    fn begin(&mut self, marker: u8, kept: &mut Vec<u8>) -> Result<(), Refused> {
        match marker {
            SOI if !self.begun => self.begun = true,
            _ if !self.begun => return Err(Refused::Broken("a JPEG without a beginning")),
            EOI => self.at = At::End,
            // Segments of these markers have a length.
            0xc0..=0xcf | 0xda..=0xef | 0xfe => {
                self.at = At::Segment(marker);
                return Ok(());
            }
            _ => return Err(Refused::Broken("a marker that no JPEG has")),
        }
        kept.extend_from_slice(&[0xff, marker]);
        Ok(())
    }

    fn segment(
        &mut self,
        marker: u8,
        bytes: &mut &[u8],
        kept: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        if !self.gathered.fill(bytes, 2) {
            return Ok(());
        }
        let length = usize::from(u16::from_be_bytes([self.gathered.0[0], self.gathered.0[1]]));
        if length < 2 {
            return Err(Refused::Broken("a segment of a JPEG without a length"));
        }
        if !self.gathered.fill(bytes, length) {
            return Ok(());
        }
        let segment = self.gathered.take();
        self.at = if marker == SOS { At::Scan(false) } else { At::Marker };
        let content = &segment[2..];
        match marker {
            // Frames: T.81, B.2.2.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => self.frame(content)?,
            0xe0 => {
                jfif(content, kept);
                return Ok(());
            }
            0xe1 => {
                self.exif(content, kept);
                return Ok(());
            }
            0xe2 if content.starts_with(b"ICC_PROFILE\0") => {}
            0xee if content.starts_with(b"Adobe") => {}
            0xe2..=0xef | 0xfe => return Ok(()),
            _ => {}
        }
        kept.extend_from_slice(&[0xff, marker]);
        kept.extend_from_slice(&segment);
        Ok(())
    }

    fn frame(&mut self, content: &[u8]) -> Result<(), Refused> {
        let [_, a, b, c, d, ..] = *content else {
            return Err(Refused::Broken("a frame of a JPEG without a size"));
        };
        let height = u32::from(u16::from_be_bytes([a, b]));
        let width = u32::from(u16::from_be_bytes([c, d]));
        if self.size.replace(measured(width, height)?).is_some() {
            return Err(Refused::Broken("a JPEG with two frames"));
        }
        Ok(())
    }

    fn exif(&mut self, content: &[u8], kept: &mut Vec<u8>) {
        let Some(tiff) = content.strip_prefix(b"Exif\0\0") else { return };
        if self.orientation.is_some() {
            return;
        }
        let orientation = exif::orientation(tiff);
        self.orientation = Some(orientation);
        if orientation > 1 {
            let tiff = exif::minimal(orientation);
            kept.extend_from_slice(&[0xff, 0xe1, 0, 2 + 6 + exif::MINIMAL_U8]);
            kept.extend_from_slice(b"Exif\0\0");
            kept.extend_from_slice(&tiff);
        }
    }

    /// Up to the next marker; 0xFF00 is a byte of the data, and restarts belong to it.
    fn scan(
        &mut self,
        escaped: bool,
        bytes: &mut &[u8],
        kept: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        if !escaped {
            let end = bytes.iter().position(|byte| *byte == 0xff).unwrap_or(bytes.len());
            let (data, rest) = bytes.split_at(end);
            kept.extend_from_slice(data);
            *bytes = rest.get(1..).unwrap_or_default();
            self.at = At::Scan(!rest.is_empty());
            return Ok(());
        }
        let Some((&byte, rest)) = bytes.split_first() else { return Ok(()) };
        *bytes = rest;
        match byte {
            0xff => {}
            0x00 | 0xd0..=0xd7 => {
                kept.extend_from_slice(&[0xff, byte]);
                self.at = At::Scan(false);
            }
            marker => {
                self.at = At::Marker;
                self.begin(marker, kept)?;
            }
        }
        Ok(())
    }
}

/// Version and density; not the small picture that may come with it, of what there was before it
/// was cut.
fn jfif(content: &[u8], kept: &mut Vec<u8>) {
    if let Some(fields) = content.get(..12).filter(|fields| fields.starts_with(b"JFIF\0")) {
        kept.extend_from_slice(&[0xff, 0xe0, 0, 16]);
        kept.extend_from_slice(fields);
        kept.extend_from_slice(&[0, 0]);
    }
}
