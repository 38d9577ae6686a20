//! The page of all routes, and whether an answer is as it says.

use axum::http::{Method, header};
use serde_json::Value;

use crate::world::Answered;

#[test]
fn the_page_is_current() {
    let page = format!("{:#}\n", serde_json::to_value(api::openapi()).unwrap());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    if common::config::variable("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let is_current = std::fs::read_to_string(path).is_ok_and(|committed| committed == page);
    assert!(is_current, "docs/openapi.json is not current; run `UPDATE_DOCS=1 cargo test -p api`");
}

#[test]
fn all_of_health_alone_asks_for_no_token() {
    let page = serde_json::to_value(api::openapi()).unwrap();
    for (path, route) in page["paths"].as_object().unwrap() {
        for (method, operation) in route.as_object().unwrap() {
            let health = ["/livez", "/readyz"].contains(&path.as_str());
            let needs = operation.get("security").and_then(Value::as_array);
            let is_open = needs.is_none_or(|needs| needs.contains(&Value::Object(serde_json::Map::new())));
            assert_eq!(is_open, health, "{method} {path}");
        }
    }
}

/// Holds an answer to the page: its status and its body are among those that the route may give.
#[track_caller]
pub(crate) fn holds(method: &Method, path: &str, answer: &Answered) {
    let page = serde_json::to_value(api::openapi()).unwrap();
    let asked: Vec<_> = path.split('?').next().unwrap().split('/').collect();
    let is = |template: &str| {
        let parts: Vec<_> = template.split('/').collect();
        parts.len() == asked.len() && parts.iter().zip(&asked).all(|(a, b)| a == b || a.starts_with('{'))
    };
    let route = page["paths"].as_object().unwrap().iter().find(|(template, _)| is(template)).map(|(_, route)| route);
    let operation = route.and_then(|route| route.get(method.as_str().to_lowercase()));
    let Some(operation) = operation else {
        assert!(!answer.status.is_success(), "{method} {path}: the page does not tell of it");
        return check(&page, &page["components"]["schemas"]["Refusal"], &answer.json(), "body").unwrap();
    };
    let status = answer.status.as_str();
    let told = operation["responses"].get(status);
    let told = told.unwrap_or_else(|| panic!("{method} {path}: the page does not tell of {status}"));
    if told.get("content").is_none() {
        return assert_eq!(answer.text(), "", "{method} {path} {status}");
    }
    let kind = answer.headers[header::CONTENT_TYPE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let body = told["content"].get(&kind);
    let body = body.unwrap_or_else(|| panic!("{method} {path} {status}: the page does not tell of `{kind}`: {told}"));
    if kind == "application/json" {
        let wrong = check(&page, &body["schema"], &answer.json(), "body").err();
        assert_eq!(wrong, None, "{method} {path} {status}: {:#}", answer.json());
    }
}

/// Whether a value is as a schema says: the part of JSON Schema that the page is written in.
fn check(page: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').unwrap();
        let target = page.pointer(pointer).ok_or_else(|| format!("`{reference}` leads nowhere"))?;
        return check(page, target, value, at);
    }
    for (key, least, most) in [("oneOf", 1, 1), ("anyOf", 1, usize::MAX), ("allOf", usize::MAX, usize::MAX)] {
        let Some(all) = schema[key].as_array() else { continue };
        let results: Vec<_> = all.iter().map(|schema| check(page, schema, value, at)).collect();
        let good = results.iter().filter(|result| result.is_ok()).count();
        if good < least.min(all.len()) || good > most {
            return Err(format!("{at}: {good} of {key} hold: {results:?}"));
        }
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is = |kind: &&str| match *kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{at}: no kind `{other}`"),
    };
    if !kinds.is_empty() && !kinds.iter().any(is) {
        return Err(format!("{at}: {value} is not {kinds:?}"));
    }
    if schema["enum"].as_array().is_some_and(|all| !all.contains(value)) {
        return Err(format!("{at}: {value} is not one of {}", schema["enum"]));
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for (number, value) in values.iter().enumerate() {
            check(page, items, value, &format!("{at}[{number}]"))?;
        }
    }
    let Some(object) = value.as_object() else { return Ok(()) };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        object.get(name).ok_or_else(|| format!("{at}: `{name}` is missing"))?;
    }
    let (known, others) = (schema["properties"].as_object(), schema.get("additionalProperties"));
    for (name, value) in object {
        match (known.and_then(|known| known.get(name)), others) {
            (Some(schema), _) => check(page, schema, value, &format!("{at}.{name}"))?,
            (None, Some(Value::Bool(false))) => return Err(format!("{at}: `{name}` is not told of")),
            (None, Some(schema)) if schema.is_object() => check(page, schema, value, &format!("{at}.{name}"))?,
            (None, _) => {}
        }
    }
    Ok(())
}
