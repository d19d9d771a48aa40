//! How users want to be told of what they missed.

/// How much a push says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preview {
    /// The sender and the text.
    #[default]
    Full,
    /// The sender alone.
    Sender,
    /// That there is a message.
    None,
}

/// Of which messages of a chat a member is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Of all.
    #[default]
    All = 1,
    /// Of those that mention the member, or answer one of the member's.
    Mentions = 2,
    /// Of none.
    None = 3,
}

/// How a user wants to be told, on all devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preferences {
    /// No pushes at all.
    pub off: bool,
    /// How much they say.
    pub preview: Preview,
    /// Without a sound.
    pub silent: bool,
}
