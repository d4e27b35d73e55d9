//! How notices are worded: versioned data, by template and language (8.3).

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::code::Channel;

/// What a text message holds.
const SMS_LENGTH: usize = 90;

/// Every template.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Templates {
    version: u32,
    templates: Vec<Template>,
}

#[derive(Debug, Clone, Deserialize)]
struct Template {
    code: String,
    ko: Wording,
    en: Wording,
}

#[derive(Debug, Clone, Deserialize)]
struct Wording {
    title: String,
    body: String,
}

/// In which language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Locale {
    Korean,
    #[cfg_attr(not(test), expect(dead_code, reason = "members have no language yet"))]
    English,
}

/// A notice in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub(crate) title: String,
    pub(crate) body: String,
}

/// What a template speaks of, by name.
pub(crate) type Values = BTreeMap<String, String>;

/// Why a notice cannot be worded.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    /// There is no such template.
    #[error("there is no template {0}")]
    Unknown(String),
    /// It speaks of something that the event does not tell.
    #[error("the template {code} speaks of {placeholder}, which the event does not tell")]
    Placeholder {
        /// The template.
        code: String,
        /// What it speaks of.
        placeholder: String,
    },
}

impl Templates {
    /// Those that the service comes with.
    pub(crate) fn own() -> Result<Self, serde_json::Error> {
        serde_json::from_str(include_str!("../templates.json"))
    }

    /// A notice in the member's words for a channel; in plain ones when the template cannot be used.
    pub(crate) fn word(&self, code: &str, channel: Channel, values: &Values) -> Rendered {
        self.render(code, Locale::Korean, channel, values).unwrap_or_else(|error| {
            tracing::error!(%error, version = self.version, "a notice goes out in plain words");
            plain(code)
        })
    }

    /// A notice in words for a channel.
    pub(crate) fn render(
        &self,
        code: &str,
        locale: Locale,
        channel: Channel,
        values: &Values,
    ) -> Result<Rendered, TemplateError> {
        let template = self.templates.iter().find(|template| template.code == code);
        let template = template.ok_or_else(|| TemplateError::Unknown(code.to_owned()))?;
        let wording = match locale {
            Locale::Korean => &template.ko,
            Locale::English => &template.en,
        };
        let fill = |text: &str| {
            fill(text, channel, values).map_err(|placeholder| TemplateError::Placeholder {
                code: code.to_owned(),
                placeholder,
            })
        };
        let rendered = Rendered { title: fill(&wording.title)?, body: fill(&wording.body)? };
        Ok(match channel {
            Channel::Sms => Rendered { body: cut(&rendered.body, SMS_LENGTH), ..rendered },
            Channel::InApp | Channel::Email | Channel::Push | Channel::Webhook => rendered,
        })
    }
}

/// Better than nothing, when a template cannot be used.
pub(crate) fn plain(code: &str) -> Rendered {
    Rendered { title: code.to_owned(), body: format!("{code}: open the app to see more") }
}

fn fill(text: &str, channel: Channel, values: &Values) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let (name, behind) = after.split_once("}}").ok_or_else(|| after.to_owned())?;
        let value = values.get(name).ok_or_else(|| name.to_owned())?;
        match channel {
            Channel::Email => escape(value, &mut filled),
            Channel::InApp | Channel::Sms | Channel::Push | Channel::Webhook => {
                filled.push_str(value);
            }
        }
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// An e-mail is HTML, and what a member typed is not.
fn escape(value: &str, into: &mut String) {
    for character in value.chars() {
        match character {
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '&' => into.push_str("&amp;"),
            '"' => into.push_str("&quot;"),
            '\'' => into.push_str("&#39;"),
            other => into.push(other),
        }
    }
}

fn cut(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(length.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use service::code::Code;

    use super::*;
    use crate::notice::TEMPLATES;

    fn values() -> Values {
        let names = [
            "placeName",
            "roomName",
            "checkInDate",
            "checkOutDate",
            "totalAmount",
            "method",
            "reason",
            "travelTitle",
            "startDate",
        ];
        names.iter().map(|name| ((*name).to_owned(), format!("<{name}>"))).collect()
    }

    /// NT-01 NT-02 NT-03: every notice is worded in both languages on every channel.
    #[test]
    fn nt_01_nt_02_nt_03_every_notice_has_words() {
        let templates = Templates::own().unwrap();
        assert_eq!(templates.templates.len(), TEMPLATES.len());
        for code in TEMPLATES {
            for locale in [Locale::Korean, Locale::English] {
                for channel in Channel::ALL {
                    let rendered = templates.render(code, locale, *channel, &values()).unwrap();
                    assert!(!rendered.title.is_empty() && !rendered.body.contains("{{"));
                    let is_escaped = !rendered.body.contains('<');
                    assert_eq!(is_escaped, *channel == Channel::Email, "{code} {channel:?}");
                    if *channel == Channel::Sms {
                        assert!(rendered.body.chars().count() <= SMS_LENGTH);
                    }
                }
            }
        }
    }

    /// the notice of the payment promises no room.
    #[test]
    fn a_taken_payment_promises_no_room() {
        let templates = Templates::own().unwrap();
        let code = "PAYMENT_APPROVED";
        let rendered = templates.render(code, Locale::English, Channel::InApp, &values()).unwrap();
        assert!(rendered.body.contains("when the stay is confirmed"), "{rendered:?}");
    }

    #[test]
    fn what_the_event_does_not_tell_is_an_error() {
        let templates = Templates::own().unwrap();
        let render = |code, values: Values| {
            templates.render(code, Locale::Korean, Channel::InApp, &values).unwrap_err()
        };
        let error = render("TRAVEL_D1", Values::new());
        assert!(error.to_string().contains("travelTitle"), "{error}");
        assert_eq!(render("OTHER", values()), TemplateError::Unknown("OTHER".to_owned()));
    }
}
