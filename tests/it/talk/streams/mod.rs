//! The life of a stream: how it opens, what it takes, and why it ends.

mod commands;
mod ending;
mod heartbeats;
mod opening;
mod sessions;
mod tokens;
