//! `answers`: local answers, for `forward:` and for the fallback of a circuit breaker.

use std::collections::BTreeMap;

use tollgate_filters::{HeaderField, Invalid, header_value};

use super::Settings;
use super::read::set;
use crate::config::context::Value;
use crate::config::reader::Section;

/// `answers.<path>`: an answer without an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAnswer {
    /// `status`, 200 to 599. Default 200.
    pub status: u16,
    /// `headers`, in the order they are written. Without `Content-Type` there is one that fits the
    /// body.
    pub headers: Vec<(String, String)>,
    /// `body`. Default empty.
    pub body: String,
}

/// Answers by their paths.
pub type LocalAnswers = BTreeMap<String, LocalAnswer>;

/// Reads `answers`.
pub(super) fn read(section: &Section<'_, '_>, settings: &mut Settings) {
    let Some(answers) = section.section("answers") else { return };
    for entry in answers.all() {
        let path = entry.key.to_string();
        if !is_path(&path) {
            let message = format!("`{path}` is not a path");
            let problem = Invalid::new("invalid-value", message)
                .with_help("write it as `forward:` names it: `/fallback: { status: 503 }`");
            answers.context.error(problem.or_at(entry.span()));
        }
        let help = "write `/fallback: { status: 503, body: \"…\" }`";
        let one = answers.mapping(entry, "an answer is a mapping", help);
        let Some(one) = one.map(Section::strictly) else { continue };
        let answer = answer(&one);
        one.finish();
        settings.answers.insert(path, answer);
    }
}

fn answer(section: &Section<'_, '_>) -> LocalAnswer {
    let mut answer = LocalAnswer { status: 200, headers: Vec::new(), body: String::new() };
    set(&mut answer.status, section.get("status", status));
    set(&mut answer.body, section.text("body"));
    if let Some(headers) = section.section("headers") {
        for entry in headers.all() {
            let Some(value) = headers.context.value(&entry.value) else {
                let what = format!("`{}` must be one value", headers.name_of(&entry.key));
                headers.context.error(Invalid::new("wrong-type", what).or_at(entry.span()));
                continue;
            };
            let header = headers.convert(&entry.key, &value, |value| header(&entry.key, value));
            answer.headers.extend(header);
        }
    }
    answer
}

/// Other statuses have no body, or are no answer.
fn status(value: &Value<'_>) -> Result<u16, Invalid> {
    let text = value.text();
    let status = text.trim().parse().ok().filter(|status| (200..600).contains(status));
    status.ok_or_else(|| {
        Invalid::new("invalid-value", format!("`{text}` is not a status from 200 to 599"))
    })
}

fn header(name: &str, value: &Value<'_>) -> Result<(String, String), Invalid> {
    let field = HeaderField::new(name)?;
    if field.is_framing() {
        return Err(Invalid::new("invalid-value", "the gateway frames its answers itself")
            .with_help("leave this header out"));
    }
    let text = value.text().into_owned();
    if header_value(&text).is_err() {
        let problem = "a header value has no line break, and does not begin with a blank";
        return Err(Invalid::new("invalid-value", problem));
    }
    Ok((name.to_owned(), text))
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.contains(['?', '#', ' '])
}
