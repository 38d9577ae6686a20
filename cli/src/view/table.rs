//! Text in columns, and the colours of words.

use anstyle::{AnsiColor, Style};
use comfy_table::{Attribute, Color, ContentArrangement, presets};
use lifecycle::Status;

/// What is good.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What waits or needs attention.
pub(crate) const CARE: Style = AnsiColor::Yellow.on_default();
/// What is wrong or in the way.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
/// What says where one is.
pub(crate) const STRONG: Style = Style::new().bold();

/// How a status looks.
pub(crate) const fn tone(status: Status) -> Style {
    match status {
        Status::Ok => GOOD,
        Status::Unknown => Style::new(),
        Status::Unstable | Status::Failing => CARE,
        Status::Failed | Status::Stale | Status::Cancelled | Status::Superseded => BAD,
    }
}

/// Rows under a head. The printer strips the colours where they do not belong.
#[derive(Debug)]
pub(crate) struct Table(comfy_table::Table);

/// One field of a row.
#[derive(Debug)]
pub(crate) struct Cell(comfy_table::Cell);

impl Table {
    pub(crate) fn new<'a>(head: impl IntoIterator<Item = &'a str>) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).enforce_styling().style_text_only();
        table.set_header(head.into_iter().map(|text| comfy_table::Cell::new(text).add_attribute(Attribute::Bold)));
        Self(table)
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.0.add_row(cells.into_iter().map(|cell| cell.0));
    }

    /// The text, folded to a width where there is one; every line ends in a newline.
    pub(crate) fn text(mut self, width: Option<u16>) -> String {
        match width {
            Some(width) => {
                self.0.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
            }
            None => {
                self.0.set_content_arrangement(ContentArrangement::Disabled);
            }
        }
        for column in self.0.column_iter_mut() {
            column.set_padding((0, 2));
        }
        self.0.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

impl Cell {
    pub(crate) fn dim(text: &str) -> Self {
        Self(comfy_table::Cell::new(text).add_attribute(Attribute::Dim))
    }

    pub(crate) fn bad(text: &str) -> Self {
        Self(comfy_table::Cell::new(text).fg(Color::DarkRed))
    }

    pub(crate) fn status(status: Status) -> Self {
        let color = match tone(status) {
            GOOD => Color::DarkGreen,
            CARE => Color::DarkYellow,
            BAD => Color::DarkRed,
            _ => Color::Reset,
        };
        Self(comfy_table::Cell::new(status).fg(color))
    }
}

impl<T: ToString> From<T> for Cell {
    fn from(text: T) -> Self {
        Self(comfy_table::Cell::new(text))
    }
}
