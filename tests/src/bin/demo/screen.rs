//! What people see: lines that stay, and on a terminal, below them, some that are drawn anew.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::pin::pin;
use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, interval};

/// Standard output.
#[derive(Debug)]
pub(crate) struct Screen {
    terminal: bool,
    /// What the next drawing takes the place of.
    drawn: Vec<String>,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self { terminal: std::io::stdout().is_terminal(), drawn: Vec::new() }
    }

    /// Whether something can be drawn anew.
    pub(crate) const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Prints lines that stay, above what is drawn anew.
    pub(crate) fn say(&mut self, text: &str) -> Result<()> {
        let drawn = std::mem::take(&mut self.drawn);
        self.write(drawn.len(), &format!("{text}\n"), &drawn)?;
        self.drawn = drawn;
        Ok(())
    }

    /// Draws lines in the place of those drawn before. Only a terminal shows them.
    pub(crate) fn draw(&mut self, lines: Vec<String>) -> Result<()> {
        if self.terminal {
            self.write(self.drawn.len(), "", &lines)?;
            self.drawn = lines;
        }
        Ok(())
    }

    /// Lets stay what was drawn.
    pub(crate) fn settle(&mut self) {
        self.drawn.clear();
    }

    /// Tells how long `work` has been going on: a terminal sees it every second, a log at the start and every ten seconds.
    pub(crate) async fn during<T>(&mut self, what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        let began = Instant::now();
        let mut every = interval(Duration::from_secs(if self.terminal { 1 } else { 10 }));
        let mut work = pin!(work);
        let result = loop {
            tokio::select! {
                result = &mut work => break result,
                _ = every.tick() => {
                    let seconds = began.elapsed().as_secs();
                    let line = if seconds == 0 { what.to_owned() } else { format!("{what}: {seconds} s") };
                    if self.terminal { self.draw(vec![line])? } else { self.say(&line)? }
                }
            }
        };
        self.draw(vec![format!("{what}: {:.1} s", began.elapsed().as_secs_f32())])?;
        self.settle();
        result
    }

    /// Goes back over so many lines and writes what stays, then what is drawn anew: in one piece, so that nothing flickers. What is drawn is
    /// cut where the terminal ends, because a wrapped line would be two to go back over.
    fn write(&self, over: usize, stays: &str, drawn: &[String]) -> Result<()> {
        let mut text = String::new();
        if over > 0 {
            write!(text, "\x1b[{over}A\r\x1b[J")?;
        }
        text.push_str(stays);
        if !drawn.is_empty() {
            write!(text, "\x1b[?7l{}\n\x1b[?7h", drawn.join("\n"))?;
        }
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }
}

/// A colour, or none where nobody would see it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ink {
    Bold,
    Dim,
    Green,
    Red,
    Yellow,
}

impl Ink {
    /// `text` in this colour, if this is a terminal and nobody objects (no-color.org).
    pub(crate) fn paint(self, text: &str) -> String {
        if !std::io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            return text.to_owned();
        }
        let code = match self {
            Self::Bold => 1,
            Self::Dim => 2,
            Self::Red => 31,
            Self::Green => 32,
            Self::Yellow => 33,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}
