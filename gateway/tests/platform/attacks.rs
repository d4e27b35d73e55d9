//! The table of attacks: every row is refused, with its reason and nothing else.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Sha256, Sha384, Sha512};

use crate::Shared;
use crate::http::Answer;
use crate::stack::Stack;
use crate::tokens::{Tokens, seconds};

pub(crate) const SHARED: &[Shared] = &[
    ("attacks_are_refused_with_their_reason", attacks),
    ("a_token_made_as_the_table_makes_them_passes", control),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    header: Option<Map<String, Value>>,
    header_raw: Option<String>,
    claims: Option<Map<String, Value>>,
    claims_raw: Option<String>,
    claims_edit: Option<[String; 2]>,
    #[serde(default)]
    sign: Option<String>,
    token: Option<String>,
    lines: Option<Vec<String>>,
    target: Option<String>,
    code: String,
}

fn attacks(stack: &Stack) {
    let rows: Vec<Row> = serde_yaml::from_str(include_str!("attacks.yaml")).unwrap();
    assert!(rows.len() > 80, "{} rows", rows.len());
    let (_, good) = stack.member();
    let mut failed = Vec::new();
    let mut told: Vec<(String, String, String)> = Vec::new();
    for row in &rows {
        let answer = attack(stack, row, &good);
        if (answer.status, answer.code().as_str()) != (401, row.code.as_str()) {
            failed.push(format!("{}: {} {}", row.id, answer.status, answer.code()));
        }
        told.push((row.code.clone(), what_is_told(&answer), row.id.clone()));
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(stack.echo.seen("/echo/attack").is_empty(), "an attack reached the upstream");
    stack.get("/echo/x", &good).check(200);
    for (code, text, id) in &told {
        let first = told.iter().find(|(other, ..)| other == code).unwrap();
        assert_eq!(text, &first.1, "{id} is told apart from {}", first.2);
    }
}

/// What refuses the rows is what is wrong with them, not how they are made.
fn control(stack: &Stack) {
    let (_, good) = stack.member();
    let row: Row = serde_yaml::from_str("{ id: fine, claims: {}, header: {}, code: '' }").unwrap();
    assert_eq!(attack(stack, &row, &good).status, 200);
}

fn attack(stack: &Stack, row: &Row, good: &str) -> Answer {
    let token = match &row.token {
        Some(text) => fill(text, good),
        None => make(stack, row, good),
    };
    let target = row.target.as_deref().unwrap_or("/echo/attack");
    let target = if row.code.is_empty() { "/echo/control" } else { target };
    let mut request = stack.ask(&format!("GET {}", fill(target, good)));
    match &row.lines {
        Some(lines) => {
            for line in lines {
                request = request.header(fill(line, good));
            }
        }
        None => request = request.bearer(&token),
    }
    request.send()
}

/// Everything a client sees but what differs by itself.
fn what_is_told(answer: &Answer) -> String {
    let mut body = answer.json();
    for name in ["timestamp", "requestId", "path", "instance"] {
        body[name] = Value::Null;
    }
    let headers: Vec<String> = answer
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "date" | "content-length"))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    format!("{} {headers:?} {body}", answer.status)
}

fn fill(text: &str, good: &str) -> String {
    let parts: Vec<&str> = good.split('.').collect();
    text.replace("{good}", good)
        .replace("{good-header}", parts[0])
        .replace("{good-claims}", parts[1])
        .replace("{good-signature}", parts[2])
}

fn make(stack: &Stack, row: &Row, good: &str) -> String {
    let header = row.header_raw.clone().unwrap_or_else(|| {
        let mut header = Tokens::header(good);
        for (name, value) in row.header.clone().unwrap_or_default() {
            header[name] = value;
        }
        header.to_string()
    });
    let header = URL_SAFE_NO_PAD.encode(header);
    let claims = URL_SAFE_NO_PAD.encode(claims(row, good));
    let secret = &stack.tokens.secret;
    let signed = format!("{header}.{claims}");
    let whole = |secret: &[u8], text: &str| {
        URL_SAFE_NO_PAD.encode(mac::<Hmac<Sha512>>(secret, text.as_bytes()))
    };
    let signature = match row.sign.as_deref() {
        None => whole(secret, &signed),
        Some("none") => String::new(),
        Some("other") => whole(&[7; 64], &signed),
        Some("empty") => whole(&[], &signed),
        Some("HS256") => URL_SAFE_NO_PAD.encode(mac::<Hmac<Sha256>>(secret, signed.as_bytes())),
        Some("HS384") => URL_SAFE_NO_PAD.encode(mac::<Hmac<Sha384>>(secret, signed.as_bytes())),
        Some("truncated") => {
            let bytes = mac::<Hmac<Sha512>>(secret, signed.as_bytes());
            URL_SAFE_NO_PAD.encode(&bytes[..32])
        }
        Some("moved") => whole(secret, "something.else"),
        Some(other) => panic!("{other}"),
    };
    format!("{signed}.{signature}")
}

fn mac<M: Mac + KeyInit>(secret: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(secret).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn claims(row: &Row, good: &str) -> String {
    if let Some(raw) = &row.claims_raw {
        return if raw == "nested" { "[".repeat(1200) } else { raw.clone() };
    }
    let mut claims = Tokens::claims(good);
    if let Some([from, to]) = &row.claims_edit {
        let text = claims.to_string();
        let fill = |text: &str| {
            text.replace("{exp}", &claims["exp"].to_string())
                .replace("{iat}", &claims["iat"].to_string())
                .replace("{sub}", claims["sub"].as_str().unwrap())
        };
        let edited = text.replace(&fill(from), &fill(to));
        assert_ne!(edited, text, "{}", row.id);
        return edited;
    }
    for (name, value) in row.claims.clone().unwrap_or_default() {
        claims[name] = match value.as_str() {
            Some("huge") => Value::String("x".repeat(3000)),
            Some(offset) if offset.starts_with('+') => {
                Value::from(seconds() + offset.parse::<i64>().unwrap())
            }
            _ => value,
        };
    }
    claims.to_string()
}
