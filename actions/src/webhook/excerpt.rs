//! What is shown of a receiver's answer: its beginning in one line, without what was secret in the request.
//!
//! Receivers and proxies repeat what they were sent, and what is shown of an answer is read by many: in the store, in logs,
//! by `nsm status` and the API.

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};

/// How much is shown, in characters.
const LENGTH: usize = 100;

/// A part of a path or query that is at least so long, in bytes, may be a secret. Shorter ones are words.
const MIN_SECRET: usize = 6;

/// So many bytes of a longer secret are hidden, too, where the rest was cut off. Fewer are too many words' beginning.
const MIN_PIECE: usize = 12;

/// What is shorter is not hidden, whatever it is: it would take letters out of words.
const MIN_LENGTH: usize = 3;

/// The beginning of an answer, without these secrets; `None` where it says nothing.
pub(super) fn of(body: &[u8], secrets: &[String]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line: String = hide(&words.collect::<Vec<_>>().join(" "), secrets).chars().take(LENGTH).collect();
    (!line.is_empty()).then_some(line)
}

/// What may be secret in an address, in each form in which it may be repeated: its login, also as it is sent in a header,
/// and the parts of its path and query.
pub(super) fn secrets(url: &str) -> Vec<String> {
    let (_, address) = url.split_once("://").unwrap_or(("", url));
    let (authority, rest) = address.split_at(address.find(['/', '?', '#']).unwrap_or(address.len()));
    let mut secrets = Vec::new();
    if let Some((login, _)) = authority.rsplit_once('@') {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (plain_user, plain_password) = (decoded(user), decoded(password));
        let plain = format!("{plain_user}:{plain_password}");
        secrets.push(BASE64_STANDARD_NO_PAD.encode(&plain));
        secrets.extend([plain, login.to_owned(), password.to_owned(), plain_password]);
        secrets.extend([user.to_owned(), plain_user].into_iter().filter(|it| it.len() >= MIN_SECRET));
    }
    for part in rest.split(['/', '?', '&', '=', '#']).filter(|part| part.len() >= MIN_SECRET) {
        let plain = decoded(part);
        secrets.extend([encoded(&plain), plain, part.to_owned()]);
    }
    secrets
}

/// The text with `…` for each run of characters that is a secret, or a good piece of one.
fn hide(text: &str, secrets: &[String]) -> String {
    let lower = text.to_ascii_lowercase();
    let mut hidden = vec![false; text.len()];
    for secret in secrets.iter().map(|secret| secret.to_ascii_lowercase()).filter(|secret| secret.len() >= MIN_LENGTH) {
        let length = secret.len().min(MIN_PIECE);
        for piece in secret.as_bytes().windows(length) {
            for (at, found) in lower.as_bytes().windows(length).enumerate() {
                if found == piece {
                    hidden[at..at + length].fill(true);
                }
            }
        }
        // What was read of the answer may end within it.
        let begins = |cut: &usize| lower.as_bytes().ends_with(&secret.as_bytes()[..*cut]);
        if secret.len() >= MIN_PIECE
            && let Some(cut) = (MIN_SECRET..MIN_PIECE).rev().find(begins)
        {
            hidden[text.len() - cut..].fill(true);
        }
    }
    let mut shown = String::new();
    let mut was_hidden = false;
    for (at, character) in text.char_indices() {
        let is_hidden = hidden[at..at + character.len_utf8()].contains(&true);
        match (was_hidden, is_hidden) {
            (_, false) => shown.push(character),
            (false, true) => shown.push('…'),
            (true, true) => {}
        }
        was_hidden = is_hidden;
    }
    shown
}

/// With each `%2F` as the byte that it stands for.
fn decoded(text: &str) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, others)) = rest.split_first() {
        rest = others;
        match (first, digit(others.first()), digit(others.get(1))) {
            (b'%', Some(high), Some(low)) => {
                bytes.extend(u8::try_from(16 * high + low));
                rest = &others[2..];
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// With `%2F` for each byte that an address may not hold as it is.
fn encoded(text: &str) -> String {
    let each = text.bytes().map(|byte| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://anna:passw0rd@example.org/hooks/T0PSECRET?token=s3cret-t0ken";

    /// What is shown of an answer to a request to this address.
    #[track_caller]
    fn check(url: &str, body: &str, shown: &str) {
        assert_eq!(
            of(body.as_bytes(), &secrets(url)).as_deref(),
            Some(shown).filter(|text| !text.is_empty()),
            "{body}"
        );
    }

    #[test]
    fn an_answer_is_shown_in_one_short_line() {
        check(URL, "invalid_payload\n", "invalid_payload");
        check(URL, "<p>\r\n\tno\u{7}such  page</p>", "<p> no such page</p>");
        check(URL, " \n", "");
        check(URL, &"ä".repeat(300), &"ä".repeat(100));
    }

    #[test]
    fn an_address_that_is_repeated_shows_no_secret() {
        check(
            URL,
            "Cannot POST /hooks/T0PSECRET?token=s3cret-t0ken as anna:passw0rd",
            "Cannot POST /hooks/…?token=… as …",
        );
        check(URL, r#"{"path":"\/hooks\/T0PSECRET","password":"passw0rd"}"#, r#"{"path":"\/hooks\/…","password":"…"}"#);
        check(URL, "no route for /HOOKS/t0psecret", "no route for /HOOKS/…");
        check("https://example.org/t0p%2fsecret", "no /t0p/secret, no /t0p%2Fsecret", "no /…, no /…");
        check("https://example.org/t0p:secret", "no /t0p%3Asecret", "no /…");
    }

    #[test]
    fn a_login_that_is_repeated_as_it_was_sent_is_not_shown() {
        // The base64 of `anna:passw0rd`.
        check(URL, "Authorization: Basic YW5uYTpwYXNzdzByZA== is wrong", "Authorization: Basic …== is wrong");
        check("https://anna:p%40ss:w@example.org/", "no anna:p@ss:w, no p@ss:w, no p%40ss:w", "no …, no …, no …");
        // The base64 of `anna:p@ss:w`.
        check("https://anna:p%40ss:w@example.org/", "Basic YW5uYTpwQHNzOnc=", "Basic …=");
        check("https://t0pt0ken@example.org/", "t0pt0ken? Basic dDBwdDBrZW46", "…? Basic …");
        check("http://a:b@proxy:3128", "Basic YTpi of a:b", "Basic … of …");
    }

    #[test]
    fn what_is_cut_off_within_a_secret_shows_none_of_it() {
        let url = "https://example.org/hooks/abcdefghijklmnopqrstuvwxyz012345";
        check(url, "no /hooks/abcdefghijklmnopq...", "no /hooks/…...");
        check(url, "no ...opqrstuvwxyz012345 here", "no ...… here");
        check(url, "no /hooks/abcdefgh", "no /hooks/…");
    }

    #[test]
    fn words_stay() {
        check(URL, "no hook for this token, anna", "no hook for this token, anna");
        check("https://example.org/hooks/namespaces", "namespaces: no such namespace", "…: no such namespace");
        check("https://example.org", "welcome", "welcome");
    }
}
