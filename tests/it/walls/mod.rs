//! The walls: every call of the contract, read from its descriptors, through every door it has, by
//! whoever may come. `docs/security.md` says which wall is against whom.
//!
//! | here | is tried |
//! |---|---|
//! | `matrix` | every call by every sort of caller |
//! | `forged` | every call with tokens that are none |
//! | `fields` | every field of every call with what it cannot be |
//! | `commands` | every field of every command of an open stream, likewise |
//! | `again` | what is said again late, or too often |
//! | `flood` | connections that ask for too much |
//! | `page` | that the page about all this names tests that there are |

mod again;
mod call;
mod commands;
mod dump;
mod fields;
mod flood;
mod forged;
mod matrix;
mod page;
mod requests;
mod scene;

use adda::proto::server_frame::Frame;

use crate::world::{Live, World, send};

/// A user who talks with a friend meanwhile, and to whom none of it may matter.
struct Bystander {
    live: Live,
    chat: String,
    said: u32,
}

impl Bystander {
    async fn at(world: &World) -> Self {
        let chat = world.direct("bystander", "friend").await;
        let mut live = world.connect("bystander", "phone").await;
        live.caught_up().await;
        live.take_seen();
        Self { live, chat, said: 0 }
    }

    /// Was told nothing, and still says what it likes.
    async fn goes_on(&mut self) {
        self.said += 1;
        let said = self.live.send(&self.chat, &format!("said-{}", self.said), "still here").await;
        assert_eq!(said.seq, self.said);
        self.live.message().await;
        self.live.settle().await;
        let mut told = self.live.take_seen();
        told.retain(|frame| !matches!(frame, Frame::Checkpoint(_) | Frame::Heartbeat(_)));
        assert_eq!(told, [], "somebody else was disturbed");
    }
}

/// A chat that none of those who try may learn of.
async fn secret(world: &World) -> String {
    let chat = world.group("keeper", &["sharer"]).await;
    send(&mut world.api("keeper").await, &chat, "m1", "between us").await;
    chat
}
