//! Of which message it is asked why it rang, or did not. `adda explain --help` is made of this.
#![allow(clippy::doc_markdown, reason = "these docs are what --help prints")]

use clap::Args;

use super::args::secret;
use super::{DEV_SECRET, Refused, Secret};
use crate::model::UserId;

/// Which message, to whom, and who asks.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// The chat.
    #[arg(value_name = "CHAT_ID")]
    pub chat: String,

    /// The message.
    #[arg(value_name = "MESSAGE_ID")]
    pub message: String,

    /// Tells of all recipients: in the name of this member, its sender, say, the members of the
    /// chat are listed.
    #[arg(long = "as", env = "ADDA_USER", value_name = "USER", required_unless_present = "to")]
    pub member: Option<String>,

    /// Tells of these recipients alone. May be repeated, or separated by commas.
    #[arg(long, value_name = "USER", value_delimiter = ',')]
    pub to: Vec<String>,

    /// The server: http://HOST:PORT or https://HOST.
    #[arg(long, env = "ADDA_SERVER", value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub server: String,

    /// A token with the scope adda.service. Unset: one is signed.
    #[arg(long, env = "ADDA_TOKEN", value_name = "JWT", hide_env_values = true, value_parser = secret)]
    pub token: Option<Secret>,

    /// Signs it HS256 with this. Unset: with the secret of a development server.
    #[arg(long, env = "JWT_SECRET", value_name = "SECRET", hide_env_values = true, value_parser = secret)]
    pub jwt_secret: Option<Secret>,

    /// Becomes its `iss`.
    #[arg(long, env = "JWT_ISSUER", value_name = "ISSUER")]
    pub jwt_issuer: Option<String>,

    /// Becomes its `aud`.
    #[arg(long, env = "JWT_AUDIENCE", value_name = "AUDIENCE")]
    pub jwt_audience: Option<String>,
}

impl ExplainArgs {
    /// The secret to sign with, where no token is given.
    pub fn check(&self) -> Result<Secret, Refused> {
        let users = self.member.iter().map(|user| ("--as", user));
        for (flag, user) in users.chain(self.to.iter().map(|user| ("--to", user))) {
            if UserId::parse(user).is_none() {
                let why = "1 to 64 of A-Z a-z 0-9 _ . : @ -".to_owned();
                return Err(Refused { flag: flag.to_owned(), why });
            }
        }
        let secret = self.jwt_secret.clone().unwrap_or_else(|| DEV_SECRET.into());
        if secret.expose().is_empty() {
            return Err(Refused::new("--jwt-secret", "JWT_SECRET", "is empty"));
        }
        Ok(secret)
    }
}
