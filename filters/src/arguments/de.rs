//! The one deserialiser for the arguments of a unit, in either notation.
//!
//! Arguments are text; fields say what the text must be. Conversions are those of the reference
//! gateway (`filters.md` 2.4).

use std::cell::RefCell;
use std::vec;

use serde::de::value::{StrDeserializer, StringDeserializer};
use serde::de::{
    self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::{ArgValue, Entry, Shortcut, UnitSettings};
use crate::digits::parse_long;
use crate::invalid::nearest;
use crate::{Invalid, Span};

/// The arguments of an entry under the names of the unit's fields.
#[derive(Debug)]
pub(super) struct Arguments<'i> {
    named: Vec<(String, ArgValue, Span)>,
    strict: bool,
    ignored: &'i RefCell<Vec<Invalid>>,
}

impl<'i> Arguments<'i> {
    /// Gives every argument the name of a field, by the unit's shortcut. Arguments that no field
    /// takes are told in `ignored` where the file is not refused for them.
    pub(super) fn normalise(
        entry: &Entry,
        shortcut: Shortcut,
        unit: &mut UnitSettings<'_>,
        ignored: &'i RefCell<Vec<Invalid>>,
    ) -> Result<Self, Invalid> {
        let strict = unit.strict;
        let named = match shortcut {
            Shortcut::Fields(fields) => by_position(entry, fields, unit)?,
            Shortcut::List(list) => vec![(list.to_owned(), gather(entry), entry.span)],
            Shortcut::ListWithFlag(list, flag) => gather_with_flag(entry, list, flag),
        };
        Ok(Self { named, strict, ignored })
    }
}

/// Where the argument for `field` stands.
pub(super) fn place_of(entry: &Entry, shortcut: Shortcut, field: &str) -> Option<Span> {
    let fields = match shortcut {
        Shortcut::Fields(fields) => fields,
        Shortcut::List(_) | Shortcut::ListWithFlag(..) => &[],
    };
    entry.arguments.iter().enumerate().find_map(|(at, argument)| {
        let name = match &argument.key {
            Some(key) if !key.starts_with("_genkey_") => key.as_str(),
            _ => fields.get(at).copied()?,
        };
        relaxed_equal(name, field).then_some(argument.span)
    })
}

fn by_position(
    entry: &Entry,
    order: &[&str],
    unit: &mut UnitSettings<'_>,
) -> Result<Vec<(String, ArgValue, Span)>, Invalid> {
    let mut bound = Vec::with_capacity(entry.arguments.len());
    for (at, argument) in entry.arguments.iter().enumerate() {
        let key = match &argument.key {
            Some(key) if !key.starts_with("_genkey_") => key.clone(),
            _ => {
                let Some(field) = order.get(at) else {
                    unit.refuse_or_warn(surplus(order.len()).or_at(argument.span))?;
                    continue;
                };
                (*field).to_owned()
            }
        };
        bound.push((key, argument.value.clone(), argument.span));
    }
    Ok(bound)
}

fn surplus(count: usize) -> Invalid {
    let plural = if count == 1 { "" } else { "s" };
    Invalid::new("surplus-argument", format!("takes {count} argument{plural}, found more"))
        .with_help("a shortcut cannot hold a comma; write `name:` and `args:` instead")
}

fn all_values(entry: &Entry) -> impl Iterator<Item = String> {
    entry.arguments.iter().flat_map(|argument| match &argument.value {
        ArgValue::Text(text) => vec![text.clone()],
        ArgValue::List(texts) => texts.clone(),
    })
}

fn gather(entry: &Entry) -> ArgValue {
    ArgValue::List(all_values(entry).collect())
}

fn gather_with_flag(entry: &Entry, list: &str, flag: &str) -> Vec<(String, ArgValue, Span)> {
    let mut values: Vec<String> = all_values(entry).collect();
    let is_flag = |text: &String| {
        text.is_empty() || text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
    };
    let written = values.pop_if(|last| is_flag(last));
    let mut named = vec![(list.to_owned(), ArgValue::List(values), entry.span)];
    if let Some(written) = written.filter(|text| !text.is_empty()) {
        named.push((flag.to_owned(), ArgValue::Text(written), entry.span));
    }
    named
}

/// Whether two names are the same without case, `-` and `_`.
pub(crate) fn relaxed_equal(left: &str, right: &str) -> bool {
    fn letters(text: &str) -> impl Iterator<Item = char> {
        text.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase)
    }
    letters(left).eq(letters(right))
}

impl de::Error for Invalid {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::new("invalid-argument", message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("missing-argument", format!("`{field}` is required"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new("duplicate-argument", format!("`{field}` is given twice"))
    }
}

impl<'de> Deserializer<'de> for Arguments<'_> {
    type Error = Invalid;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        self.deserialize_struct("", &[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        visitor.visit_map(Fields {
            known: fields,
            strict: self.strict,
            ignored: self.ignored,
            rest: self.named.into_iter(),
            current: None,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct Fields<'i> {
    known: &'static [&'static str],
    strict: bool,
    ignored: &'i RefCell<Vec<Invalid>>,
    rest: vec::IntoIter<(String, ArgValue, Span)>,
    current: Option<(&'static str, ArgValue, Span)>,
}

impl Fields<'_> {
    fn field(&self, key: &str, span: Span) -> Result<Option<&'static str>, Invalid> {
        if let Some(field) = self.known.iter().find(|field| relaxed_equal(field, key)) {
            return Ok(Some(field));
        }
        let help = match nearest(key, self.known.iter().copied()) {
            Some(field) => format!("did you mean `{field}`?"),
            None if self.known.is_empty() => "it takes no arguments".to_owned(),
            None => format!("the arguments are {}", self.known.join(", ")),
        };
        let problem = Invalid::new("unknown-argument", format!("unknown argument `{key}`"))
            .with_help(help)
            .or_at(span);
        if self.strict {
            return Err(problem);
        }
        self.ignored.borrow_mut().push(problem);
        Ok(None)
    }
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Invalid;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Invalid> {
        while let Some((key, value, span)) = self.rest.next() {
            let Some(field) = self.field(&key, span)? else { continue };
            self.current = Some((field, value, span));
            let name: StrDeserializer<'_, Invalid> = field.into_deserializer();
            return seed.deserialize(name).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Invalid> {
        let Some((field, written, span)) = self.current.take() else {
            return Err(de::Error::custom("an argument without a name"));
        };
        seed.deserialize(Value { written, strict: self.strict }).map_err(|mut problem| {
            problem.message = format!("`{field}`: {}", problem.message);
            problem.or_at(span)
        })
    }
}

/// The value of one argument, converted to what the field asks for.
struct Value {
    written: ArgValue,
    strict: bool,
}

impl Value {
    fn text(self) -> Result<String, Invalid> {
        match self.written {
            ArgValue::Text(text) => Ok(text),
            ArgValue::List(_) => Err(de::Error::custom("expected one value, found a list")),
        }
    }
}

fn java_int(text: &str) -> Result<i32, Invalid> {
    let number = java_long(text).ok().and_then(|number| i32::try_from(number).ok());
    number.ok_or_else(|| not_whole(text))
}

fn not_whole(text: &str) -> Invalid {
    de::Error::custom(format!("`{text}` is not a whole number"))
}

/// Reads a whole number as the reference gateway does: blanks are dropped, a sign, leading zeros,
/// digits of any script, and hexadecimal after `0x` or `#` are fine.
pub(crate) fn java_long(text: &str) -> Result<i64, Invalid> {
    let written: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let (negative, digits) = match written.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, written.strip_prefix('+').unwrap_or(&written)),
    };
    let hexadecimal = ["0x", "0X", "#"].iter().find_map(|lead| digits.strip_prefix(lead));
    let starts_right = |digits: &str| !digits.starts_with(['+', '-']);
    let parsed = match hexadecimal {
        Some(digits) if starts_right(digits) => i64::from_str_radix(digits, 16).ok(),
        None if starts_right(digits) => parse_long(digits),
        _ => None,
    };
    parsed.map(|value| if negative { -value } else { value }).ok_or_else(|| not_whole(text))
}

/// Reads a truth value as the reference gateway does (`filters.md` 2.4).
fn java_bool(text: &str) -> Result<bool, Invalid> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => Err(de::Error::custom(format!("`{text}` is not `true` or `false`"))),
    }
}

impl<'de> Deserializer<'de> for Value {
    type Error = Invalid;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        visitor.visit_bool(java_bool(&self.text()?)?)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        visitor.visit_i32(java_int(&self.text()?)?)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        visitor.visit_i64(java_long(&self.text()?)?)
    }

    /// An optional field holds one value, never a list. A list for it is refused in strict files
    /// and binds nothing elsewhere, as in the reference gateway.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        match self.written {
            ArgValue::List(_) if !self.strict => visitor.visit_none(),
            ArgValue::List(_) | ArgValue::Text(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        let texts = match self.written {
            ArgValue::List(texts) => texts,
            ArgValue::Text(text) => text.split(',').map(|piece| piece.trim().to_owned()).collect(),
        };
        visitor.visit_seq(Texts(texts.into_iter()))
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Texts(vec::IntoIter<String>);

impl<'de> SeqAccess<'de> for Texts {
    type Error = Invalid;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Invalid> {
        let Some(text) = self.0.next() else { return Ok(None) };
        let text: StringDeserializer<Invalid> = text.into_deserializer();
        seed.deserialize(text).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_int(text: &str, expected: Option<i32>) {
        assert_eq!(java_int(text).ok(), expected, "{text}");
    }

    #[test]
    fn reads_whole_numbers_in_javas_forms() {
        check_int("010", Some(10));
        check_int(" 1 2 ", Some(12));
        check_int("+5", Some(5));
        check_int("-0", Some(0));
        check_int("0x10", Some(16));
        check_int("#A", Some(10));
        check_int("-0x8", Some(-8));
        check_int("", None);
        check_int("1.5", None);
        check_int("1e3", None);
        check_int("2147483648", None);
        check_int("--1", None);
        check_int("0x+1", None);
    }

    #[test]
    fn compares_names_without_case_and_dashes() {
        assert!(relaxed_equal("Reg-Exp", "regexp"));
        assert!(relaxed_equal("match_trailing_slash", "matchTrailingSlash"));
        assert!(!relaxed_equal("regex", "regexp"));
    }
}
