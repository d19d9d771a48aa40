//! What anybody may send, tried with bytes of every sort (`make fuzz`).
//!
//! Only a build for fuzzing knows this. Each function takes any bytes, and panics if something
//! that is promised of them does not hold.

use prost::Message as _;

use crate::bus::redis::fuzz_frame;
use crate::chat::emoji::emoji;
use crate::chat::limits::{MAX_WORD_CHARS, MAX_WORDS};
use crate::chat::position::Position;
use crate::chat::seal::{Purpose, Sealer};
use crate::chat::text;
use crate::chat::words::{wanted, words};
use crate::files::fuzz_file;
use crate::model::{Run, Seq, SeqSet, UserId};
use crate::proto::{ConnectRequest, ConnectResponse, node};
use crate::store::Keys;

/// Frames of clients and of nodes, and resume tokens: read, or refused; what is read is written as
/// it was meant.
pub fn frames(data: &[u8]) {
    if let Ok(request) = ConnectRequest::decode(data) {
        assert_eq!(ConnectRequest::decode(&*request.encode_to_vec()), Ok(request));
    }
    if let Ok(response) = ConnectResponse::decode(data) {
        assert_eq!(ConnectResponse::decode(&*response.encode_to_vec()), Ok(response));
    }
    if let Ok(envelope) = node::Envelope::decode(data) {
        assert_eq!(node::Envelope::decode(&*envelope.encode_to_vec()), Ok(envelope));
    }
    fuzz_frame(data);
    let sealer = Sealer::new(Keys { content: [1; 32], tokens: vec![(1, [2; 32])] });
    assert!(Position::open(&sealer, &UserId::new("ann"), data).is_none(), "a forged token");
    let signed = sealer.seal(&UserId::new("ann"), Purpose::Resume, data);
    let _read = Position::open(&sealer, &UserId::new("ann"), &signed);
}

/// Text: what is taken fits, shows something, and is taken again as it is; so is an emoji. Words
/// are words.
pub fn text(data: &[u8]) {
    let Ok(raw) = std::str::from_utf8(data) else { return };
    if let Ok(taken) = text::message_text(raw) {
        assert!(taken.len() <= crate::chat::limits::MAX_TEXT_BYTES);
        assert!(!taken.trim().is_empty());
        assert!(taken.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
        assert_eq!(text::message_text(&taken).ok(), Some(taken));
    }
    if let Ok(taken) = text::title(raw) {
        assert_eq!(text::title(&taken).ok(), Some(taken));
    }
    let _name = text::display_name(raw);
    let folded = text::fold(raw);
    assert_eq!(text::fold(&folded), folded);
    if let Ok(one) = emoji(raw) {
        assert_eq!(emoji(&one).ok(), Some(one));
    }
    let words = words(raw);
    assert!(words.len() <= MAX_WORDS);
    for word in words {
        assert!((1..=MAX_WORD_CHARS).contains(&word.chars().count()), "{word:?}");
        assert!(word.bytes().all(|b| b.is_ascii_alphanumeric() || !b.is_ascii()), "{word:?}");
    }
    let _wanted = wanted(raw);
}

/// Sets of seqs: as a plain list of numbers says.
pub fn seqs(data: &[u8]) {
    let mut plain = std::collections::BTreeSet::new();
    let mut set = SeqSet::default();
    for pair in data.chunks_exact(2).take(64) {
        let (first, last) = (Seq::from(pair[0]), Seq::from(pair[0]) + Seq::from(pair[1] % 16));
        if let Some(run) = Run::new(first, last) {
            set.insert(run);
            plain.extend(first..=last);
        }
    }
    let listed: Vec<Seq> = set.runs().iter().flat_map(|run| run.first..=run.last).collect();
    assert!(listed.iter().eq(&plain), "{listed:?}");
    assert_eq!(set.max(), plain.last().copied().unwrap_or(0));
    for seq in 0..300 {
        assert_eq!(set.contains(seq), plain.contains(&seq));
    }
    let missing = set.missing(1, 300).iter().map(|run| run.len()).sum::<u64>();
    assert_eq!(missing, 300 - plain.len() as u64);
    let mut twice = set.clone();
    twice.union(&set);
    assert_eq!(twice, set);
}

/// Files: refused, or clean.
pub fn files(data: &[u8]) {
    fuzz_file(data);
}
