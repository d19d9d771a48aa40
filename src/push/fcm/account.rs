//! Who we are to Google: a service account, as its JSON file tells.

use std::fmt;

use serde::Deserialize;

/// A service account.
#[derive(Clone, Deserialize)]
pub struct Account {
    /// Whose devices.
    pub project_id: String,
    /// Its name.
    pub client_email: String,
    /// Which of its keys.
    #[serde(default)]
    pub private_key_id: String,
    /// PEM.
    pub private_key: String,
    /// Where tokens are given.
    #[serde(default = "token_uri")]
    pub token_uri: String,
}

fn token_uri() -> String {
    "https://oauth2.googleapis.com/token".to_owned()
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("project_id", &self.project_id).finish_non_exhaustive()
    }
}

/// Why a service account is none. Says nothing of what stands in it.
#[derive(Debug, thiserror::Error)]
pub enum Bad {
    /// It cannot be read.
    #[error("not the JSON of a service account: project_id, client_email, private_key")]
    Json,
    /// Its key is none.
    #[error("private_key is no RSA key in PEM")]
    Key,
    /// Its project's name would break the URL.
    #[error("project_id is none")]
    Project,
}

impl Account {
    /// Reads the JSON.
    pub fn read(json: &[u8]) -> Result<Self, Bad> {
        let account: Self = serde_json::from_slice(json).map_err(|_| Bad::Json)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.' | '_');
        if account.project_id.is_empty() || !account.project_id.chars().all(plain) {
            return Err(Bad::Project);
        }
        account.key().map_err(|_| Bad::Key)?;
        Ok(account)
    }

    /// What it signs with.
    pub(super) fn key(&self) -> jsonwebtoken::errors::Result<jsonwebtoken::EncodingKey> {
        jsonwebtoken::EncodingKey::from_rsa_pem(self.private_key.as_bytes())
    }
}
