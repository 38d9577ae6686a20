//! What went wrong, and which of the port's errors that is.

use std::time::Duration;

use mongodb::error::{Error, ErrorKind, WriteFailure};

use crate::store::{OpenError, StoreError};

/// "Duplicate key", by which alone it is recognised that an id is taken.
const DUPLICATE_KEY: i32 = 11_000;

/// Unauthorized, UserNotFound, AuthenticationFailed.
const NOT_LET_IN: [i32; 3] = [13, 11, 18];

/// So much of what the driver says is told.
const MAX_TEXT_LENGTH: usize = 400;

/// A failure inside of the adapter, before it is told what was attempted. No text holds a credential: the driver names
/// servers and what they answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Unavailable(String),
    /// The server knows the user or the password not, or allows too little.
    Denied(String),
    /// The id is in use.
    Duplicate,
    Damaged(String),
    Refused(String),
    /// The database holds a store of a later version.
    Foreign(String),
}

impl Failure {
    pub(super) fn late(after: Duration) -> Self {
        Self::Unavailable(format!("no answer came within {} s", after.as_secs_f32()))
    }

    /// The port's error. A database that was ours when it was opened and is not any more was damaged since.
    pub(super) fn while_doing(self, doing: String) -> StoreError {
        match self {
            Self::Unavailable(why) => StoreError::Unavailable { doing, why },
            Self::Denied(why) => StoreError::Unavailable {
                doing,
                why: format!("the server does not let us in, check the user name and the password: {why}"),
            },
            Self::Duplicate => StoreError::Unavailable { doing, why: "another writes the same".to_owned() },
            Self::Damaged(why) | Self::Foreign(why) => StoreError::Damaged { doing, why },
            Self::Refused(why) => StoreError::Refused { doing, why },
        }
    }

    pub(super) fn while_opening(self, place: String) -> OpenError {
        match self {
            Self::Foreign(why) => OpenError::Foreign { place, why },
            other => other.while_doing(format!("open {place}")).into(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if code(&error) == Some(DUPLICATE_KEY) {
            return Self::Duplicate;
        }
        let why = words(&error);
        if is_denied(&error) { Self::Denied(why) } else { Self::Unavailable(why) }
    }
}

fn code(error: &Error) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(error) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteError(error)) => Some(error.code),
        _ => None,
    }
}

/// Where a connection cannot be authenticated the driver takes the server for lost, and may tell only that it found
/// none in time; what it last heard of the server is in the text then.
fn is_denied(error: &Error) -> bool {
    match error.kind.as_ref() {
        ErrorKind::Authentication { .. } => true,
        ErrorKind::ServerSelection { message, .. } => {
            ["SCRAM failure", "AuthenticationFailed", "Authentication failed"].iter().any(|sign| message.contains(sign))
        }
        _ => code(error).is_some_and(|code| NOT_LET_IN.contains(&code)),
    }
}

fn words(error: &Error) -> String {
    let text = error.kind.to_string();
    match text.char_indices().nth(MAX_TEXT_LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
