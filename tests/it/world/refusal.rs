//! Why something was refused, on a stream and in a call alike.

use std::collections::BTreeMap;

use adda::proto;
use tonic_types::StatusExt as _;

/// All of an error that both ways of telling it have in common, but for the id of the request,
/// which must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: tonic::Code,
    pub(crate) reason: String,
    pub(crate) message: String,
    /// Empty: no one field.
    pub(crate) field: String,
    pub(crate) metadata: BTreeMap<String, String>,
    /// Whether repeating may help.
    pub(crate) retry: bool,
}

impl Refusal {
    /// From what a call failed with.
    pub(crate) fn of_status(status: &tonic::Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
        assert_eq!(info.domain, "adda");
        assert_eq!(details.request_info().unwrap().request_id.len(), 32);
        let violations = details.bad_request().map(|bad| bad.field_violations.as_slice());
        let field = violations.and_then(|all| all.first()).map(|one| one.field.clone());
        Self {
            code: status.code(),
            reason: info.reason.clone(),
            message: status.message().to_owned(),
            field: field.unwrap_or_default(),
            metadata: info.metadata.clone().into_iter().collect(),
            retry: details.retry_info().is_some_and(|info| info.retry_delay.is_some()),
        }
    }

    /// From what a command failed with.
    pub(crate) fn of_error(error: &proto::Error) -> Self {
        assert_eq!(error.request_id.len(), 32);
        let reason = error.reason().as_str_name();
        Self {
            code: tonic::Code::from_i32(error.code),
            reason: reason.strip_prefix("ERROR_REASON_").unwrap().to_owned(),
            message: error.message.clone(),
            field: error.field.clone(),
            metadata: error.metadata.clone().into_iter().collect(),
            retry: error.retry_after.is_some(),
        }
    }

    /// Reason and field.
    pub(crate) fn what(&self) -> (&str, &str) {
        (&self.reason, &self.field)
    }

    /// The figure a client may want to show.
    pub(crate) fn limit(&self) -> Option<&str> {
        self.metadata.get("limit").map(String::as_str)
    }

    /// Without the path to the command or the message, in which twins differ.
    pub(crate) fn without_path(mut self) -> Self {
        if let Some((_, field)) = self.field.split_once('.') {
            self.field = field.to_owned();
        }
        self
    }
}

/// What a call that must fail failed with.
impl<T: std::fmt::Debug> From<Result<T, tonic::Status>> for Refusal {
    fn from(came: Result<T, tonic::Status>) -> Self {
        Self::of_status(&came.unwrap_err())
    }
}
