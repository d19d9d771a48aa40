//! How pushes go out.
#![allow(clippy::doc_markdown, rustdoc::bare_urls, reason = "these docs are what --help prints")]

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};

use super::args::{secret, time};
use super::{Refused, Secret};
use crate::push::fcm::{self, Account};
use crate::push::{Options, ProviderOptions};

/// What a push may wait at most: it is for people who wait.
const LONGEST: Duration = Duration::from_secs(600);

/// How pushes go out.
#[derive(Args, Debug)]
#[command(next_help_heading = "Pushes")]
pub struct PushArgs {
    /// To whom pushes are given: fcm (needs credentials), log (says what would have gone, without
    /// text), or off [default: fcm where there are credentials, else log]
    #[arg(long, env = "ADDA_PUSH", value_name = "PROVIDER", value_enum)]
    pub push: Option<Provider>,

    /// The service account of a Firebase project, as its JSON file.
    #[arg(long, env = "ADDA_FCM_CREDENTIALS", value_name = "FILE")]
    pub fcm_credentials: Option<PathBuf>,

    /// The same, as base64 of that file; --fcm-credentials goes first.
    #[arg(
        long,
        env = "FIREBASE_API_KEY_BASE64",
        value_name = "BASE64",
        hide_env_values = true,
        value_parser = secret
    )]
    pub fcm_credentials_base64: Option<Secret>,

    /// Where Firebase Cloud Messaging is: for tests, or a proxy that speaks HTTP/2.
    #[arg(long, env = "ADDA_FCM_URL", value_name = "URL", default_value = fcm::URL)]
    pub fcm_url: String,

    /// How long a device with a stream may leave a message unacknowledged before it is pushed.
    #[arg(long, env = "ADDA_PUSH_AFTER", value_name = "TIME", default_value = "5s", value_parser = time)]
    pub push_after: Duration,

    /// How long another device of the user in the foreground that has it holds that back; and when
    /// it is looked once more for what was left out. Above --push-after; 15s or more where nothing
    /// may be left out when a node dies.
    #[arg(long, env = "ADDA_PUSH_HOLD", value_name = "TIME", default_value = "60s", value_parser = time)]
    pub push_hold: Duration,
}

/// To whom pushes are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Provider {
    /// Firebase Cloud Messaging.
    Fcm,
    /// The log.
    Log,
    /// Nobody.
    Off,
}

impl PushArgs {
    /// Reads the credentials.
    pub(super) fn check(&self) -> Result<Options, Refused> {
        let account = self.account()?;
        let provider = match (self.push, account) {
            (Some(Provider::Off), _) => ProviderOptions::Off,
            (Some(Provider::Log), _) | (None, None) => ProviderOptions::Log,
            (Some(Provider::Fcm), None) => {
                let why = "fcm needs --fcm-credentials or FIREBASE_API_KEY_BASE64";
                return Err(Refused::new("--push", "ADDA_PUSH", why));
            }
            (Some(Provider::Fcm) | None, Some(account)) => {
                ProviderOptions::Fcm(fcm::Options { account, url: self.url()? })
            }
        };
        let (after, hold) = (self.push_after, self.push_hold);
        if after.is_zero() || after > LONGEST {
            return Err(Refused::new("--push-after", "ADDA_PUSH_AFTER", "above 0, at most 10m"));
        }
        if hold <= after || hold > LONGEST {
            let why = "above --push-after, at most 10m";
            return Err(Refused::new("--push-hold", "ADDA_PUSH_HOLD", why));
        }
        Ok(Options { provider, after, hold })
    }

    fn account(&self) -> Result<Option<Account>, Refused> {
        if let Some(path) = &self.fcm_credentials {
            let refuse =
                |why: String| Refused::new("--fcm-credentials", "ADDA_FCM_CREDENTIALS", why);
            let json = std::fs::read(path).map_err(|error| refuse(error.kind().to_string()))?;
            return Account::read(&json).map(Some).map_err(|bad| refuse(bad.to_string()));
        }
        let Some(base64) = self.fcm_credentials_base64.as_ref() else { return Ok(None) };
        let refuse =
            |why: String| Refused::new("--fcm-credentials-base64", "FIREBASE_API_KEY_BASE64", why);
        let text: String = base64.expose().split_whitespace().collect();
        let json = STANDARD.decode(text).map_err(|_| refuse("not base64".to_owned()))?;
        Account::read(&json).map(Some).map_err(|bad| refuse(bad.to_string()))
    }

    fn url(&self) -> Result<String, Refused> {
        let url = reqwest::Url::parse(&self.fcm_url).ok();
        let good = url.filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.host_str().is_some()
                && matches!(url.path(), "" | "/")
        });
        let why = "write https://HOST, without a path";
        good.ok_or_else(|| Refused::new("--fcm-url", "ADDA_FCM_URL", why))?;
        Ok(self.fcm_url.trim_end_matches('/').to_owned())
    }
}
