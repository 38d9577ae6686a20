//! Whose a namespace is: found in what CI systems and admission write on it, in an order that is configured
//! (docs/design/lifecycle.md section 1). It is for people to know whom to ask; nothing is decided on it.
//!
//! Strangers write these values: what cannot be read is named, and the next one is read.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

pub use crate::model::owner::{MAX_TEXT_BYTES, Owners, Source};
use crate::{
    Keys, Namespace, Record,
    overrides::{Malformed, shorten},
};

/// The longest name, in bytes.
const MAX_NAME_LENGTH: usize = 256;

/// The longest address of mail, in bytes (RFC 5321 section 4.5.3.1.3).
const MAX_EMAIL_LENGTH: usize = 254;

/// The longest id of a member of Slack, in bytes: several times what they have.
const MAX_ID_LENGTH: usize = 64;

/// Its writer may have padded it or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whose a namespace is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub from: Source,
    /// The full key that it was found under.
    pub key: String,
    /// As it is written there: a name, an address, a group. At most 256 bytes, none of which steers a terminal.
    pub name: String,
    pub email: Option<String>,
    /// The id of a member of Slack.
    pub slack: Option<String>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub owner: Option<Owner>,
    /// What was passed over because nobody can read it.
    pub malformed: Vec<Malformed>,
}

/// The owner that is written on a namespace as it is now.
#[must_use]
pub fn find(namespace: &Namespace, keys: &Keys) -> Found {
    search(keys, |source, key| if source.is_label() { namespace.label(key) } else { namespace.annotation(key) })
}

/// The owner by what a record keeps of its namespace: the CI system's labels, as they were at adoption.
#[must_use]
pub fn remembered(record: &Record, keys: &Keys) -> Option<Owner> {
    search(keys, |source, _| record.ci(source.as_str()).filter(|_| source.is_label())).owner
}

fn search<'a>(keys: &Keys, value: impl Fn(Source, &str) -> Option<&'a str>) -> Found {
    let mut found = Found::default();
    for source in keys.owners.order.iter().copied() {
        let key = match source {
            Source::Creator => keys.owners.creator.clone(),
            Source::NotificationAddress | Source::AuthorEmail | Source::Author | Source::MrAssignees | Source::Team => {
                Some(keys.of_ci(source.as_str()))
            }
        };
        let Some((key, text)) = key.and_then(|key| value(source, &key).map(|text| (key, text))) else { continue };
        match read(source, text) {
            Some(Written { name, email, slack }) => {
                found.owner = Some(Owner { from: source, key, name, email, slack });
                return found;
            }
            None => found.malformed.push(malformed(source, key, text)),
        }
    }
    found
}

/// What a value says.
struct Written {
    name: String,
    email: Option<String>,
    slack: Option<String>,
}

fn read(source: Source, text: &str) -> Option<Written> {
    if text.len() > MAX_TEXT_BYTES {
        return None;
    }
    let named =
        |name: &str| Written { name: name.to_owned(), email: is_email(name).then(|| name.to_owned()), slack: None };
    match source {
        Source::NotificationAddress => address(text),
        Source::AuthorEmail => Some(text.trim()).filter(|email| is_email(email)).map(named),
        Source::MrAssignees => assignee(text).map(named),
        Source::Author | Source::Team | Source::Creator => Some(text.trim()).filter(|name| is_name(name)).map(named),
    }
}

/// Base64 of `<name>::<id>`. Its writer may have left line breaks in it.
fn address(text: &str) -> Option<Written> {
    let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let text = String::from_utf8(BASE64.decode(packed).ok()?).ok()?;
    let (name, id) = text.rsplit_once("::")?;
    let (name, id) = (name.trim(), id.trim());
    let is_id = (1..=MAX_ID_LENGTH).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let name = if name.is_empty() { id } else { name };
    (is_id && is_name(name)).then(|| Written { name: name.to_owned(), email: None, slack: Some(id.to_owned()) })
}

/// The first of a list as GitLab writes it (`anna, bert, and carla`), or somebody by hand (`["@anna"]`).
fn assignee(text: &str) -> Option<&str> {
    let parts = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '[' | ']' | '"' | '\''));
    parts.map(|part| part.trim_start_matches('@')).find(|part| !part.is_empty()).filter(|name| is_name(name))
}

/// Whether people can be shown it: short, and nothing in it steers a terminal or turns the text around it.
fn is_name(text: &str) -> bool {
    let is_legible = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    (1..=MAX_NAME_LENGTH).contains(&text.len()) && text.chars().all(is_legible)
}

/// Whether it can be an address of mail. Only who sends to it learns whether it is one.
fn is_email(text: &str) -> bool {
    let parts = text.split_once('@').filter(|(local, domain)| !local.is_empty() && !domain.is_empty());
    let has_two = parts.is_some_and(|(_, domain)| !domain.contains('@') && !domain.starts_with('.'));
    let is_plain = |c: char| !c.is_whitespace() && !matches!(c, '<' | '>' | '(' | ')' | ',' | ';' | ':' | '"' | '\\');
    has_two && text.len() <= MAX_EMAIL_LENGTH && is_name(text) && text.chars().all(is_plain)
}

fn malformed(source: Source, key: String, text: &str) -> Malformed {
    let mend = match source {
        Source::NotificationAddress => "write `<name>::<slack id>` in base64",
        Source::AuthorEmail => "write an address such as `anna@example.org`",
        Source::MrAssignees => "write user names with commas between them",
        Source::Author | Source::Team | Source::Creator => "write a name of at most 256 bytes, in one line",
    };
    let (counts_as, mend) = ("none".to_owned(), mend.to_owned());
    Malformed { key, text: shorten(text).into_owned(), is_label: false, resembles: None, counts_as, mend }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::Uid;
    use crate::model::owner::cut;

    fn keys() -> Keys {
        let owners = Owners { creator: Some("admission.example/user".to_owned()), ..Owners::default() };
        Keys { owners, ..Keys::default() }
    }

    /// What is found on a namespace with these labels and annotations, by their keys without the CI system's prefix.
    fn found(keys: &Keys, written: &[(&str, &str)]) -> Found {
        let full = |key: &str| if key.contains('/') { key.to_owned() } else { keys.of_ci(key) };
        let of = |labels: bool| {
            let is_label = |key: &str| matches!(key, "author" | "team");
            written
                .iter()
                .filter(move |(key, _)| is_label(key) == labels)
                .map(|(key, text)| (full(key), (*text).into()))
        };
        let namespace = Namespace {
            uid: Uid::new("a"),
            name: "a".to_owned(),
            resource_version: "1".to_owned(),
            created: Timestamp::UNIX_EPOCH,
            deleted: None,
            ending: None,
            labels: of(true).collect(),
            annotations: of(false).collect(),
        };
        find(&namespace, keys)
    }

    /// These lead to this owner, `source: name`, with mail and Slack where they are known.
    #[track_caller]
    fn check(written: &[(&str, &str)], expected: &str) {
        let owner = found(&keys(), written).owner.map_or("nobody".to_owned(), |owner| {
            let also = |value: Option<String>| value.map_or(String::new(), |value| format!(" {value}"));
            format!("{}: {}{}{}", owner.from.as_str(), owner.name, also(owner.email), also(owner.slack))
        });
        assert_eq!(owner, expected, "{written:?}");
    }

    fn packed(text: &str) -> String {
        base64::prelude::BASE64_STANDARD.encode(text)
    }

    #[test]
    fn the_first_of_the_order_that_is_there_counts() {
        let address = packed("Anna Example::U04ABCDEF");
        let all = [
            ("notificationAddress", address.as_str()),
            ("authorEmail", "anna@example.org"),
            ("author", "anna"),
            ("mrAssignees", "bert, carla"),
            ("team", "blue"),
            ("admission.example/user", "system:serviceaccount:ci:runner"),
        ];
        for (at, expected) in [
            "notificationAddress: Anna Example U04ABCDEF",
            "authorEmail: anna@example.org anna@example.org",
            "author: anna",
            "mrAssignees: bert",
            "team: blue",
            "creator: system:serviceaccount:ci:runner",
            "nobody",
        ]
        .into_iter()
        .enumerate()
        {
            check(&all[at..], expected);
        }
        let mut keys = keys();
        keys.owners.order = vec![Source::Team, Source::Creator];
        let owner = found(&keys, &all).owner.unwrap();
        assert_eq!((owner.from, owner.key.as_str()), (Source::Team, "cicd.skao.int/team"));
        assert_eq!(found(&keys, &all[..4]), Found::default());
    }

    #[test]
    fn a_notification_address_is_a_name_and_an_id_of_slack() {
        let read = |text: &str, expected: &str| check(&[("notificationAddress", text)], expected);
        read(&packed("Zoë ::  U1 \n"), "notificationAddress: Zoë U1");
        read(&packed("a::b::U1"), "notificationAddress: a::b U1");
        read(&packed("::U1"), "notificationAddress: U1 U1");
        read("QW5uYTo6\nVTE", "notificationAddress: Anna U1");
        for wrong in ["anna::U1", "QW5uYTo6VTE*", "=", "QQ", "\u{1f4a5}"] {
            read(wrong, "nobody");
        }
        for wrong in ["anna", "anna::", "anna::<!channel>", "anna::U 1", "\u{1b}[2J::U1", "\u{202e}anna::U1", "::"] {
            read(&packed(wrong), "nobody");
        }
        read(&base64::prelude::BASE64_STANDARD.encode(b"\xff\xfe::U1"), "nobody");
    }

    #[test]
    fn an_address_of_mail_has_two_parts_and_nothing_around_them() {
        check(&[("authorEmail", " a+b@mail.example ")], "authorEmail: a+b@mail.example a+b@mail.example");
        for wrong in
            ["anna", "@example.org", "anna@", "a@b@c", "Anna <anna@example.org>", "a@.b", "a b@c", "a@b\r\nBcc:c"]
        {
            check(&[("authorEmail", wrong)], "nobody");
        }
        check(&[("admission.example/user", "anna@example.org")], "creator: anna@example.org anna@example.org");
    }

    #[test]
    fn of_several_assignees_the_first_counts() {
        for list in ["anna", "anna, bert and carla", "@anna bert", "[\"anna\",\"bert\"]", " , anna"] {
            check(&[("mrAssignees", list)], "mrAssignees: anna");
        }
        check(&[("mrAssignees", " ,[] ")], "nobody");
    }

    #[test]
    fn what_cannot_be_read_is_named_and_the_next_is_read() {
        let found = found(&keys(), &[("notificationAddress", "\u{7}?"), ("authorEmail", "anna"), ("author", "anna")]);
        assert_eq!(found.owner.unwrap().from, Source::Author);
        let told: Vec<_> = found.malformed.iter().map(Malformed::to_string).collect();
        let expected = [
            "annotation `cicd.skao.int/notificationAddress: \u{fffd}?` cannot be read and counts as none; write \
             `<name>::<slack id>` in base64",
            "annotation `cicd.skao.int/authorEmail: anna` cannot be read and counts as none; write an address such as \
             `anna@example.org`",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_too_long_is_cut_and_stays_unread() {
        for character in ["A", "ä", "\u{1f4a5}"] {
            let mut value = character.repeat(1_000_000);
            cut(&mut value);
            assert!(value.len() > MAX_TEXT_BYTES && value.len() < MAX_TEXT_BYTES + 5, "{}", value.len());
            check(&[("notificationAddress", &value), ("mrAssignees", &value), ("author", &value)], "nobody");
        }
        // However well it begins.
        check(&[("mrAssignees", &"anna, ".repeat(MAX_TEXT_BYTES))], "nobody");
        let mut value = "A".repeat(MAX_TEXT_BYTES);
        cut(&mut value);
        assert_eq!(value.len(), MAX_TEXT_BYTES);
    }
}
