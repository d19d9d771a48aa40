//! What a failure means for a client: one rule for reasons it knows and for those it does not.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::proto::{self, CloseReason};

/// What to do about a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Back off, then again.
    Cut(String),
    /// Wait about this long, then again.
    Wait(Duration, String),
    /// Get a new token, then again.
    Token(String),
    /// Repeating changes nothing.
    Over(String),
}

impl Trouble {
    /// By the details of a Status; one without them came from something in between.
    pub(super) fn of_status(status: &Status) -> Self {
        let details = status.get_error_details();
        let Some(info) = details.error_info().filter(|info| info.domain == "adda") else {
            return Self::Cut(match status.code() {
                Code::Unavailable => "the server is away".into(),
                code => format!("{code}"),
            });
        };
        let why = format!("{} ({})", status.message(), info.reason);
        if matches!(info.reason.as_str(), "TOKEN_EXPIRED" | "TOKEN_INVALID" | "TOKEN_MISSING") {
            return Self::Token(why);
        }
        match details.retry_info().and_then(|retry| retry.retry_delay) {
            Some(pause) => Self::Wait(pause, why),
            None => Self::Over(why),
        }
    }

    /// By the class of the reason: the hundreds are all one must know.
    pub(super) fn of_close(close: &proto::Close) -> Self {
        let why = match close.reason() {
            CloseReason::Superseded => {
                "this device has opened a newer stream elsewhere: it is running twice".into()
            }
            CloseReason::Unspecified => format!("the server closed the stream ({})", close.reason),
            reason => {
                let name = reason.as_str_name().trim_start_matches("CLOSE_REASON_");
                format!("{} ({name})", close.message)
            }
        };
        let pause = close.reconnect_after.as_ref().map(span);
        match (close.reason / 100, pause) {
            (1, None) => Self::Wait(Duration::ZERO, why),
            (1 | 2, Some(pause)) => Self::Wait(pause, why),
            (3, _) => Self::Token(why),
            (4, _) => Self::Over(why),
            _ => Self::Cut(why),
        }
    }

    /// By the rule for an error of a command.
    pub(super) fn of_error(error: &proto::Error) -> Self {
        let name = error.reason().as_str_name().trim_start_matches("ERROR_REASON_");
        let why = format!("{} ({name})", error.message);
        match &error.retry_after {
            Some(pause) => Self::Wait(span(pause), why),
            None => Self::Over(why),
        }
    }
}

/// A span of the contract.
pub(super) fn span(of: &prost_types::Duration) -> Duration {
    Duration::try_from(*of).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(reason: i32, after: Option<i64>) -> Trouble {
        Trouble::of_close(&proto::Close {
            reason,
            reconnect_after: after.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
            message: "m".into(),
        })
    }

    #[test]
    fn a_close_goes_by_its_class_also_where_the_reason_is_unknown() {
        assert!(matches!(close(101, None), Trouble::Wait(Duration::ZERO, _)));
        assert!(matches!(close(199, None), Trouble::Wait(Duration::ZERO, _)));
        let three = Duration::from_secs(3);
        assert!(matches!(close(201, Some(3)), Trouble::Wait(pause, _) if pause == three));
        assert!(matches!(close(299, None), Trouble::Cut(_)));
        assert!(matches!(close(301, None), Trouble::Token(_)));
        assert!(matches!(close(401, None), Trouble::Over(_)));
        assert!(matches!(close(499, None), Trouble::Over(_)));
        assert!(matches!(close(0, None), Trouble::Cut(_)));
    }

    #[test]
    fn an_error_is_repeated_only_where_it_says_so() {
        let error = proto::Error { reason: 9999, ..proto::Error::default() };
        assert!(matches!(Trouble::of_error(&error), Trouble::Over(_)));
        let pause = prost_types::Duration { seconds: 2, nanos: 0 };
        let error = proto::Error { retry_after: Some(pause), ..error };
        assert!(matches!(Trouble::of_error(&error), Trouble::Wait(_, _)));
    }

    #[test]
    fn a_status_without_a_reason_is_a_cut() {
        assert!(matches!(Trouble::of_status(&Status::unavailable("x")), Trouble::Cut(_)));
        assert!(matches!(Trouble::of_status(&Status::internal("x")), Trouble::Cut(_)));
    }
}
