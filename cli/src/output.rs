//! Where answers go: to a person at a terminal, or to a program that reads them.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use crate::{
    args::{Command, Format},
    failure::{Code, Failure},
    view::table::CARE,
};

/// The narrowest a table is folded to.
const MIN_WIDTH: u16 = 40;

/// Colours, where they belong: not into a pipe, and not where NO_COLOR is set.
#[derive(Debug)]
pub(crate) struct Output {
    format: Format,
}

impl Output {
    pub(crate) const fn new(format: Format) -> Self {
        Self { format }
    }

    /// Writes an answer: as text for people, else the value itself.
    pub(crate) fn answer<T: Serialize>(
        &self,
        value: &T,
        text: impl FnOnce(Option<u16>) -> String,
    ) -> Result<(), Failure> {
        let unwritable =
            |error: &dyn std::error::Error| Failure::new(Code::Failed, format!("cannot write the answer: {error}"));
        let text = match self.format {
            Format::Table | Format::Wide => text(width()),
            Format::Name => text(None),
            Format::Json => format!("{}\n", serde_json::to_string_pretty(value).map_err(|error| unwritable(&error))?),
            Format::Yaml => serde_saphyr::to_string(value).map_err(|error| unwritable(&error))?,
        };
        print(&text)
    }

    /// Refuses a command whose answers cannot be written so.
    pub(crate) fn fits(&self, command: &Command) -> Result<(), Failure> {
        match (self.format, command) {
            (Format::Table | Format::Wide | Format::Json | Format::Yaml, _) | (Format::Name, Command::Ls(_)) => Ok(()),
            (Format::Name, _) => Err(Failure::new(Code::Usage, "`-o name` is for `nsm ls` alone")),
        }
    }

    pub(crate) const fn format(&self) -> Format {
        self.format
    }

    /// Tells people something beside the answer.
    pub(crate) fn note(&self, text: &str) {
        // Nobody is left to be told where standard error is closed.
        let _ = writeln!(anstream::stderr(), "{CARE}note:{CARE:#} {text}");
    }

    /// Shows that something is waited for, on a terminal alone.
    pub(crate) fn progress(&self, text: &str) {
        if io::stderr().is_terminal() {
            let _ = write!(anstream::stderr(), "\r\x1b[2K{text}");
        }
    }

    /// Wipes what [`Screen::progress`] showed.
    pub(crate) fn wipe(&self) {
        self.progress("");
    }
}

/// Writes to standard output. A reader that closed it has read enough.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

fn width() -> Option<u16> {
    let detected = io::stdout().is_terminal().then(|| comfy_table::Table::new().width()).flatten();
    detected.map(|width| width.max(MIN_WIDTH))
}
