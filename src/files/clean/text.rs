//! Plain text: UTF-8 from its first byte to its last, without control characters.

use super::{Filter, Refused};

const NOT_TEXT: Refused = Refused::Type;

#[derive(Default)]
pub(super) struct Text {
    /// The beginning of a character whose rest has not come yet: at most three bytes.
    begun: Vec<u8>,
}

impl Filter for Text {
    fn push(&mut self, bytes: &[u8], kept: &mut Vec<u8>) -> Result<(), Refused> {
        kept.extend_from_slice(bytes);
        let joined;
        let text = if self.begun.is_empty() {
            bytes
        } else {
            joined = [&self.begun, bytes].concat();
            &joined
        };
        let (text, begun) = match std::str::from_utf8(text) {
            Ok(text) => (text, &[][..]),
            Err(error) if error.error_len().is_none() => {
                let (good, begun) = text.split_at(error.valid_up_to());
                (std::str::from_utf8(good).map_err(|_| NOT_TEXT)?, begun)
            }
            Err(_) => return Err(NOT_TEXT),
        };
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}')) {
            return Err(NOT_TEXT);
        }
        self.begun = begun.to_vec();
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<(u32, u32)>, Refused> {
        if self.begun.is_empty() { Ok(None) } else { Err(NOT_TEXT) }
    }
}
