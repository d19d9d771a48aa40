//! What begins with a slash.

use super::Stopped;
use super::talk::Talk;

const HELP: &str = "A line you type is sent; it waits in the outbox while the server is away.
  /history [N]  the last N messages, 50 without a number
  /chats        all chats
  /who          who is in this chat, and who is online
  /block [WHO]  neither reaches the other any more; without a name, who is in this chat
  /unblock [WHO]
  /quit         leaves; so does Ctrl-D
Ticks: … waits, ✓ sent, ✓✓ delivered, and in blue or with (seen) when read.";

impl Talk {
    pub(super) async fn command(&mut self, command: &str) -> Result<bool, Stopped> {
        let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
        match name {
            "quit" | "q" => return Ok(false),
            "help" => self.view.screen.aside(HELP),
            "chats" => {
                let chats = self.client.inbox().await?;
                self.view.show_chats(&chats);
            }
            "history" => {
                let count = rest.trim().parse().unwrap_or(50);
                let place = self.view.place.clone();
                let shown = self.client.history(place, count).await?;
                let seen = self.view.show_history(shown);
                self.seen(seen).await?;
            }
            "who" => {
                let chats = self.client.inbox().await?;
                self.view.show_who(&chats);
            }
            "block" => self.block(rest.trim(), true).await?,
            "unblock" => self.block(rest.trim(), false).await?,
            _ => self.view.screen.aside(&format!("/{name} is no command; /help lists them")),
        }
        Ok(true)
    }

    async fn block(&mut self, named: &str, blocked: bool) -> Result<(), Stopped> {
        let peer = self.view.peer().map(str::to_owned);
        let user = if named.is_empty() { peer } else { Some(named.to_owned()) };
        let Some(user) = user else {
            self.view.screen.aside("whom? say the name");
            return Ok(());
        };
        self.client.block(user, blocked).await
    }
}
