//! A configuration as it may be shown: an address can hold a password or a token, so no more of it is told than its kind.

use common::config::raw::Raw;
use serde_json::Value;

/// The kinds of address that hold nothing but a path.
const HARMLESS: [&str; 2] = ["sqlite:", "memory:"];

/// Everything that is set, defaults included.
pub(crate) fn effective(raw: &Raw) -> Value {
    public("", &serde_json::to_value(raw).unwrap_or_default())
}

/// A value as it may be shown under its key.
pub(crate) fn public(key: &str, value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            map.iter().map(|(name, value)| (name.clone(), public(&format!("{key}.{name}"), value))).collect()
        }
        Value::String(address) if key.ends_with(".url") && !HARMLESS.iter().any(|kind| address.starts_with(kind)) => {
            let scheme = address.split_once(':').map_or("", |(scheme, _)| scheme);
            format!("{scheme}:… (not shown)").into()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_is_shown_only_where_it_holds_no_secret() {
        let raw = json!({
            "store": {"url": "sqlite:/var/nsm.db"}, "queue": {"url": "memory:"},
            "notices": {"webhook": {"url": "https://example.org/hooks/s3cret"}}, "policies": [{"name": "a"}],
        });
        assert_eq!(
            public("", &raw),
            json!({
                "store": {"url": "sqlite:/var/nsm.db"}, "queue": {"url": "memory:"},
                "notices": {"webhook": {"url": "https:… (not shown)"}}, "policies": [{"name": "a"}],
            })
        );
    }
}
