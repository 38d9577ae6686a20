//! What went wrong, and which of the port's errors that is.

use rusqlite::{ErrorCode, ffi};

use crate::store::{OpenError, StoreError};

/// A failure inside of the adapter, before it is told what was attempted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Unavailable(String),
    Damaged(String),
    Refused(String),
    /// The file holds something else than a store, or a store of a later version.
    Foreign(String),
}

impl Failure {
    /// The port's error. A file that was ours when it was opened and is not any more was damaged since.
    pub(super) fn while_doing(self, doing: String) -> StoreError {
        match self {
            Self::Unavailable(why) => StoreError::Unavailable { doing, why },
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

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error() {
            Some(ffi::Error { code, extended_code }) => of_code(*code, *extended_code, &error),
            // The rest are columns that do not hold what was written into them.
            None => Self::Damaged(error.to_string()),
        }
    }
}

/// Whether another connection holds the lock that was requested.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

fn of_code(code: ErrorCode, extended: i32, error: &rusqlite::Error) -> Failure {
    match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            Failure::Unavailable("another process keeps it locked".to_owned())
        }
        ErrorCode::DiskFull => Failure::Unavailable("the disk is full".to_owned()),
        ErrorCode::ReadOnly => Failure::Unavailable("the file or its directory is read-only".to_owned()),
        ErrorCode::SystemIoFailure => Failure::Unavailable(format!(
            "the disk refused to read or write it, being full or failing: {error} ({extended})"
        )),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            Failure::Damaged(format!("{error} ({extended}); restore the file from a backup"))
        }
        // A table or column of ours is missing, or holds another type.
        ErrorCode::Unknown | ErrorCode::TypeMismatch | ErrorCode::ConstraintViolation => {
            Failure::Damaged(error.to_string())
        }
        // The code is SQLite's and not ours to enumerate; the rest are failures of the machine.
        _ => Failure::Unavailable(format!("{error} ({extended})")),
    }
}
