//! Labels whose values are those of the contract, by its names.

use super::labels::Labels;
use crate::proto::{CloseReason, ErrorReason, ResumeOutcome};

/// What came of a call or a command: `OK`, or the reason as in `ErrorInfo.reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome(u8);

impl Outcome {
    /// It was done.
    pub const OK: Self = Self(0);

    /// It failed, for the reason of this number in the contract.
    pub fn failed(reason: ErrorReason) -> Self {
        let number = u8::try_from(i32::from(reason)).unwrap_or(0);
        if usize::from(number) < Self::COUNT { Self(number) } else { Self::OK }
    }
}

impl Outcome {
    /// As it is told.
    pub fn name(self) -> &'static str {
        let reason = Some(i32::from(self.0)).filter(|number| *number > 0);
        let reason = reason.and_then(|number| ErrorReason::try_from(number).ok());
        reason.map_or("OK", |reason| without("ERROR_REASON_", reason.as_str_name()))
    }

    /// Whether it is the server that is to blame.
    pub fn is_fault(self) -> bool {
        let ours = [
            ErrorReason::Internal,
            ErrorReason::StoreUnavailable,
            ErrorReason::TimedOut,
            ErrorReason::NodeUnreachable,
        ];
        ours.into_iter().any(|reason| Self::failed(reason) == self)
    }
}

impl Labels for Outcome {
    const KEYS: &'static [&'static str] = &["outcome"];
    const COUNT: usize = 40;

    fn index(self) -> usize {
        usize::from(self.0)
    }

    fn values(index: usize) -> Vec<&'static str> {
        vec![Self(u8::try_from(index).unwrap_or(0)).name()]
    }
}

/// Why a stream ended: a reason of the contract, `FINISHED` where the client ended it, `GONE`
/// where the connection broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending(u8);

/// The reasons a stream is closed for.
const CLOSED: [CloseReason; 12] = [
    CloseReason::SlowConsumer,
    CloseReason::MissedHeartbeat,
    CloseReason::Move,
    CloseReason::ShuttingDown,
    CloseReason::Overloaded,
    CloseReason::Unavailable,
    CloseReason::Internal,
    CloseReason::TokenExpired,
    CloseReason::Superseded,
    CloseReason::SessionRevoked,
    CloseReason::ProtocolError,
    CloseReason::ClientTooOld,
];

impl Ending {
    /// The client ended its side.
    pub const FINISHED: Self = Self(0);
    /// The connection broke.
    pub const GONE: Self = Self(1);

    /// The server closed it.
    pub fn closed(reason: CloseReason) -> Self {
        let at = CLOSED.iter().position(|closed| *closed == reason);
        Self(at.and_then(|at| u8::try_from(at + 2).ok()).unwrap_or(Self::GONE.0))
    }
}

impl Labels for Ending {
    const KEYS: &'static [&'static str] = &["reason"];
    const COUNT: usize = CLOSED.len() + 2;

    fn index(self) -> usize {
        usize::from(self.0)
    }

    fn values(index: usize) -> Vec<&'static str> {
        vec![match index {
            0 => "FINISHED",
            1 => "GONE",
            at => without("CLOSE_REASON_", CLOSED[at - 2].as_str_name()),
        }]
    }
}

impl Labels for ResumeOutcome {
    const KEYS: &'static [&'static str] = &["outcome"];
    const COUNT: usize = 3;

    fn index(self) -> usize {
        match self {
            Self::Unspecified | Self::Fresh => 0,
            Self::Resumed => 1,
            Self::Gap => 2,
        }
    }

    fn values(index: usize) -> Vec<&'static str> {
        let outcome = [Self::Fresh, Self::Resumed, Self::Gap][index];
        vec![without("RESUME_OUTCOME_", outcome.as_str_name())]
    }
}

fn without(prefix: &str, name: &'static str) -> &'static str {
    name.strip_prefix(prefix).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_the_contract_has_a_place() {
        for number in 1..1_000 {
            let Ok(reason) = ErrorReason::try_from(number) else { continue };
            let outcome = Outcome::failed(reason);
            let name = format!("ERROR_REASON_{}", Outcome::values(outcome.index())[0]);
            assert_eq!(name, reason.as_str_name());
        }
        for number in 1..1_000 {
            let Ok(reason) = CloseReason::try_from(number) else { continue };
            let name =
                format!("CLOSE_REASON_{}", Ending::values(Ending::closed(reason).index())[0]);
            assert_eq!(name, reason.as_str_name());
        }
        for number in 1..10 {
            let Ok(outcome) = ResumeOutcome::try_from(number) else { continue };
            let name = format!("RESUME_OUTCOME_{}", ResumeOutcome::values(outcome.index())[0]);
            assert_eq!(name, outcome.as_str_name());
        }
    }
}
