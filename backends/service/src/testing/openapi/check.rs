//! Whether an answer is one the document tells of.

use std::fmt;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::Contract;
use super::operation::{Expected, ExpectedHeader};
use super::request::{GeneratedRequest, read};
use crate::testing::Answer;

const PROBLEM: &str = "application/problem+json";
/// How much of an answer is shown.
const SHOWN: usize = 600;

/// What an answer did that it may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A 5xx.
    ServerError,
    /// No answer at all.
    Silence,
    /// A status the operation does not document.
    Status,
    /// A media type the status does not document.
    MediaType,
    /// A body that does not fit its schema, or has members nobody described.
    Body,
    /// A problem whose code the description does not name, or whose status is another.
    Code,
    /// A documented header that is missing or does not fit.
    Header,
    /// A 2xx for a request the document forbids.
    Leniency,
    /// A path or method nobody documented that is served all the same.
    Stray,
}

/// An answer that is not one of those the document tells of.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What was broken.
    pub rule: Rule,
    /// The operation that broke it.
    pub operation_id: String,
    /// What exactly is wrong.
    pub reason: String,
    /// The request and the answer, to be read.
    pub exchange: String,
}

impl Contract {
    /// Everything about an answer that the document does not tell.
    pub fn check(&self, request: &GeneratedRequest, answer: &Answer) -> Vec<Finding> {
        let faults =
            if request.is_served { self.faults(request, answer) } else { stray_faults(answer) };
        let shown: String = answer.text.chars().take(SHOWN).collect();
        let exchange = format!("{request}\n\n{}\n{:?}\n{shown}", answer.status, answer.headers);
        let finding = |(rule, reason)| Finding {
            rule,
            operation_id: request.operation_id().to_owned(),
            reason,
            exchange: exchange.clone(),
        };
        faults.into_iter().map(finding).collect()
    }

    fn faults(&self, request: &GeneratedRequest, answer: &Answer) -> Vec<(Rule, String)> {
        let status = answer.status.as_u16();
        let mut faults = Vec::new();
        let Some(expected) = request.operation.expected(status) else {
            let rule = if status >= 500 { Rule::ServerError } else { Rule::Status };
            return vec![(rule, format!("{status} is not documented"))];
        };
        let is_excused = self.is_unavailable_allowed && matches!(status, 503 | 504);
        if status >= 500 && !is_excused {
            faults.push((Rule::ServerError, format!("{status} for a request")));
        }
        if let Some(reason) = &request.forbidden
            && answer.status.is_success()
        {
            faults.push((Rule::Leniency, format!("{status} although {reason}")));
        }
        faults.extend(body_faults(expected, answer));
        faults.extend(expected.headers.iter().filter_map(|header| header_fault(header, answer)));
        faults
    }
}

impl Finding {
    /// Whether it tells of the same defect, as far as can be seen from outside.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.rule == other.rule && self.operation_id == other.operation_id
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, operation_id, reason, exchange } = self;
        write!(formatter, "{operation_id}: {rule:?}: {reason}\n{exchange}")
    }
}

/// Nothing is served there, and that is told as everything else is. Query and body may be refused
/// before the path is.
fn stray_faults(answer: &Answer) -> Vec<(Rule, String)> {
    let status = answer.status.as_u16();
    if !matches!(status, 400 | 401 | 404 | 405 | 413 | 415) {
        return vec![(Rule::Stray, format!("{status} for what is not documented"))];
    }
    if media_type(answer) == PROBLEM {
        return Vec::new();
    }
    vec![(Rule::MediaType, format!("{status} is not told as {PROBLEM}"))]
}

fn body_faults(expected: &Expected, answer: &Answer) -> Vec<(Rule, String)> {
    let media = media_type(answer);
    if expected.content.is_empty() {
        let has_body = !answer.text.is_empty();
        return has_body
            .then(|| (Rule::Body, "a body is not documented".to_owned()))
            .into_iter()
            .collect();
    }
    let Some((_, validator)) = expected.content.iter().find(|(name, _)| *name == media) else {
        return vec![(Rule::MediaType, format!("`{media}` is not documented"))];
    };
    if !is_json(&media) {
        return Vec::new();
    }
    let Ok(body) = serde_json::from_str::<Value>(&answer.text) else {
        return vec![(Rule::Body, "the body is no JSON".to_owned())];
    };
    let mut faults = misfits(validator, &body);
    if media == PROBLEM {
        faults.extend(problem_faults(expected, answer, &body));
    }
    faults
}

fn misfits(validator: &Validator, body: &Value) -> Vec<(Rule, String)> {
    let errors: Vec<_> = validator.iter_errors(body).collect();
    // Once a part of an object does not fit, its members are no longer known to be described.
    let is_consequence = |error: &ValidationError<'_>| {
        matches!(error.kind(), ValidationErrorKind::UnevaluatedProperties { .. })
    };
    let causes: Vec<_> = errors.iter().filter(|error| !is_consequence(error)).collect();
    let told = if causes.is_empty() { errors.iter().collect() } else { causes };
    let told = told.into_iter();
    told.map(|error| (Rule::Body, format!("body{}: {error}", error.instance_path()))).collect()
}

fn problem_faults(expected: &Expected, answer: &Answer, problem: &Value) -> Vec<(Rule, String)> {
    let status = answer.status.as_u16();
    let mut faults = Vec::new();
    if problem.get("status") != Some(&Value::from(status)) {
        faults.push((Rule::Code, format!("the problem's status is not {status}")));
    }
    let code = problem.get("code").and_then(Value::as_str).unwrap_or_default();
    if !expected.codes.is_empty() && !expected.codes.contains(code) {
        faults.push((Rule::Code, format!("the description of {status} does not name `{code}`")));
    }
    faults
}

fn header_fault(header: &ExpectedHeader, answer: &Answer) -> Option<(Rule, String)> {
    let ExpectedHeader { name, is_required, schema, validator } = header;
    if !answer.headers.contains_key(name.as_str()) {
        return is_required.then(|| (Rule::Header, format!("`{name}` is missing")));
    }
    let value = read(answer.header(name), schema);
    let error = validator.iter_errors(&value).next()?;
    Some((Rule::Header, format!("`{name}`: {error}")))
}

/// Without its parameters.
fn media_type(answer: &Answer) -> String {
    let media = answer.header("content-type").split(';').next().unwrap_or_default();
    media.trim().to_lowercase()
}

fn is_json(media: &str) -> bool {
    media == "application/json" || media.ends_with("+json")
}

#[cfg(test)]
mod tests;
