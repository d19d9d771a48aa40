//! Pushes: whether one may ring ([`rules`]) and what it says ([`words`]).

pub mod rules;
pub mod words;
