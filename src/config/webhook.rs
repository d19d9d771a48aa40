//! Who is told what happened, and how it is known that we say so.
#![allow(clippy::doc_markdown, rustdoc::bare_urls, reason = "these docs are what --help prints")]

use clap::Args;

use super::args::secret;
use super::{Refused, Secret};
use crate::webhook::{Key, Kind, Options};

/// The most endpoints: each message is noted once for each.
const MAX_URLS: usize = 8;

/// Who is told what happened.
#[derive(Args, Debug)]
#[command(next_help_heading = "Webhooks")]
pub struct WebhookArgs {
    /// Tells these URLs what happened, by signed POST; at most 8. May be repeated, or separated by
    /// commas. The same on all nodes.
    #[arg(
        long,
        env = "ADDA_WEBHOOK_URL",
        value_name = "URL",
        hide_env_values = true,
        value_parser = secret,
        value_delimiter = ','
    )]
    pub webhook_url: Vec<Secret>,

    /// Signs webhooks: whsec_ and base64 of 24 to 64 bytes, or 24 to 64 characters. Needed with
    /// --webhook-url.
    #[arg(
        long,
        env = "ADDA_WEBHOOK_SECRET",
        value_name = "SECRET",
        hide_env_values = true,
        value_parser = secret
    )]
    pub webhook_secret: Option<Secret>,

    /// What webhooks tell.
    #[arg(
        long,
        env = "ADDA_WEBHOOK_EVENTS",
        value_name = "EVENTS",
        value_delimiter = ',',
        default_value = "message.sent,message.read,chat.updated,user.online"
    )]
    pub webhook_events: Vec<Kind>,
}

impl WebhookArgs {
    /// `None`: nobody is told.
    pub(super) fn check(&self) -> Result<Option<Options>, Refused> {
        if self.webhook_url.is_empty() {
            return Ok(None);
        }
        let refuse = |why: &str| Refused::new("--webhook-url", "ADDA_WEBHOOK_URL", why);
        if self.webhook_url.len() > MAX_URLS {
            return Err(refuse("at most 8"));
        }
        let mut urls = Vec::new();
        for url in &self.webhook_url {
            let url = url.expose().trim();
            let good = reqwest::Url::parse(url).is_ok_and(|url| {
                matches!(url.scheme(), "http" | "https") && url.host_str().is_some()
            });
            if !good {
                return Err(refuse("write https://HOST/PATH"));
            }
            urls.push(url.to_owned());
        }
        let secret = self.webhook_secret.as_ref();
        let key = secret.and_then(|secret| Key::parse(secret.expose())).ok_or_else(|| {
            let why = "whsec_ and base64 of 24 to 64 bytes, or 24 to 64 characters";
            Refused::new("--webhook-secret", "ADDA_WEBHOOK_SECRET", why)
        })?;
        Ok(Some(Options { urls, key, kinds: self.webhook_events.clone() }))
    }
}
