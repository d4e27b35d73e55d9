//! Which documents of a Spring file apply: profiles (`predicates.md` 1.4).

use tollgate_filters::Invalid;

use super::context::Context;
use super::reader::Section;
use super::tree::Node;

/// The documents that apply, in the order of the file.
pub(super) fn active<'a>(context: &Context<'a>, documents: &[&'a Node<'a>]) -> Vec<&'a Node<'a>> {
    let conditions: Vec<Option<Vec<Expression>>> =
        documents.iter().map(|document| condition(context, document)).collect();
    let always = documents.iter().zip(&conditions).filter(|(_, condition)| condition.is_none());
    let base: Vec<&Node<'_>> = always.rev().map(|(document, _)| *document).collect();
    let profiles = profiles(context, &base);
    let applies = |condition: &Option<Vec<Expression>>| match condition {
        None => true,
        Some(any) => any.iter().any(|expression| expression.holds(&profiles)),
    };
    documents
        .iter()
        .zip(&conditions)
        .filter(|(_, condition)| applies(condition))
        .map(|(document, _)| *document)
        .collect()
}

/// What a document asks of the profiles; `None` if it always applies.
fn condition(context: &Context<'_>, document: &Node<'_>) -> Option<Vec<Expression>> {
    let root = Section::root(context, std::slice::from_ref(&document));
    let spring = root.section("spring")?;
    let obsolete = spring.item("profiles").filter(|item| item.value(context).is_some());
    if let Some(item) = obsolete {
        let message = "`spring.profiles` no longer selects a document";
        let problem = Invalid::new("obsolete-key", message)
            .with_help("write `spring.config.activate.on-profile`");
        context.error(problem.or_at(item.span()));
    }
    let activate = spring.section("config")?.section("activate")?;
    let platform = activate.value("on-cloud-platform");
    let elsewhere = platform.is_some_and(|value| !value.text().eq_ignore_ascii_case("none"));
    let wanted = activate.list("on-profile");
    let Some(items) = wanted else { return elsewhere.then(Vec::new) };
    let mut any = Vec::new();
    for item in items {
        let Some(value) = item.value(context) else { continue };
        let text = value.text();
        if let Some(expression) = Expression::parse(&text) {
            any.push(expression);
            continue;
        }
        let message = format!("`{text}` is not a profile expression");
        let help = "combine names with `!`, `&` and `|`; mixed ones need parentheses";
        let problem = Invalid::new("invalid-profile", message).with_help(help);
        context.error(problem.or_at(value.span));
    }
    Some(if elsewhere { Vec::new() } else { any })
}

/// The active profiles with the members of their groups; `default` if there are none.
fn profiles(context: &Context<'_>, base: &[&Node<'_>]) -> Vec<String> {
    let root = Section::root(context, base);
    let section = root.section("spring").and_then(|spring| spring.section("profiles"));
    let given = (context.properties.environment)("SPRING_PROFILES_ACTIVE");
    let from_file = section.as_ref().and_then(|section| section.texts("active"));
    let mut names = match given.filter(|names| !names.trim().is_empty()) {
        Some(names) => pieces(&names),
        None => from_file.unwrap_or_default(),
    };
    if names.is_empty() {
        let default = section.as_ref().and_then(|section| section.texts("default"));
        names = default.unwrap_or_else(|| vec!["default".to_owned()]);
    }
    names.extend(section.as_ref().and_then(|s| s.texts("include")).unwrap_or_default());
    let Some(groups) = section.and_then(|section| section.section("group")) else { return names };
    let mut at = 0;
    while let Some(name) = names.get(at).cloned() {
        for member in groups.texts(name).unwrap_or_default() {
            if !names.contains(&member) && names.len() < MOST_PROFILES {
                names.push(member);
            }
        }
        at += 1;
    }
    names
}

/// How many profiles may be active, the members of groups included.
const MOST_PROFILES: usize = 1000;

fn pieces(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// `!name`, `a & b`, `a | b`, and parentheses.
#[derive(Debug, PartialEq, Eq)]
enum Expression {
    Name(String),
    Not(Box<Expression>),
    All(Vec<Expression>),
    Any(Vec<Expression>),
}

impl Expression {
    fn parse(text: &str) -> Option<Self> {
        let mut tokens = tokens(text).into_iter().peekable();
        let parsed = Self::sequence(&mut tokens, 0)?;
        tokens.next().is_none().then_some(parsed)
    }

    fn sequence(tokens: &mut Tokens, depth: usize) -> Option<Self> {
        let first = Self::single(tokens, depth)?;
        let operator = match tokens.peek().map(String::as_str) {
            Some("&") => "&",
            Some("|") => "|",
            _ => return Some(first),
        };
        let mut parts = vec![first];
        while tokens.next_if(|token| token == operator).is_some() {
            parts.push(Self::single(tokens, depth)?);
        }
        Some(if operator == "&" { Self::All(parts) } else { Self::Any(parts) })
    }

    fn single(tokens: &mut Tokens, depth: usize) -> Option<Self> {
        if depth > 32 {
            return None;
        }
        match tokens.next()?.as_str() {
            "!" => Some(Self::Not(Box::new(Self::single(tokens, depth + 1)?))),
            "(" => {
                let inner = Self::sequence(tokens, depth + 1)?;
                (tokens.next()? == ")").then_some(inner)
            }
            ")" | "&" | "|" => None,
            name => Some(Self::Name(name.to_owned())),
        }
    }

    fn holds(&self, profiles: &[String]) -> bool {
        match self {
            Self::Name(name) => profiles.contains(name),
            Self::Not(inner) => !inner.holds(profiles),
            Self::All(parts) => parts.iter().all(|part| part.holds(profiles)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(profiles)),
        }
    }
}

type Tokens = std::iter::Peekable<std::vec::IntoIter<String>>;

fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut name = String::new();
    for c in text.chars() {
        let is_sign = matches!(c, '!' | '&' | '|' | '(' | ')');
        if (is_sign || c.is_whitespace()) && !name.is_empty() {
            tokens.push(std::mem::take(&mut name));
        }
        if is_sign {
            tokens.push(c.to_string());
        } else if !c.is_whitespace() {
            name.push(c);
        }
    }
    if !name.is_empty() {
        tokens.push(name);
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expression: &str, profiles: &[&str], expected: Option<bool>) {
        let profiles: Vec<String> = profiles.iter().map(|name| (*name).to_owned()).collect();
        let parsed = Expression::parse(expression);
        assert_eq!(parsed.map(|parsed| parsed.holds(&profiles)), expected, "{expression}");
    }

    #[test]
    fn expressions_combine_names() {
        check("a", &["a"], Some(true));
        check("A", &["a"], Some(false));
        check("!a", &["b"], Some(true));
        check("a & b", &["a", "b"], Some(true));
        check("a & !b", &["a", "b"], Some(false));
        check("a|b|c", &["c"], Some(true));
        check("(a & b) | c", &["c"], Some(true));
        check("a & (b | c)", &["a", "c"], Some(true));
    }

    #[test]
    fn mixed_operators_need_parentheses() {
        check("a & b | c", &["c"], None);
        check("a &", &["a"], None);
        check("(a", &["a"], None);
        check("", &[], None);
        check("a b", &["a"], None);
    }

    #[test]
    fn deep_parentheses_are_refused() {
        check(&"(".repeat(100_000), &[], None);
        check(&"!".repeat(100_000), &[], None);
    }
}
