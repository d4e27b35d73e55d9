//! `configs` and `instances`, and what they inherit.

use std::collections::BTreeMap;
use std::time::Duration;

use tollgate_filters::breaker::Named;
use tollgate_filters::{Invalid, Span};

use super::super::read::set;
use crate::config::context::{Context, Value};
use crate::config::names::{relaxed_equal, suggestion};
use crate::config::reader::Section;
use crate::config::values;

/// What one key below `configs` or `instances` says.
pub(super) trait Block: Sized {
    /// What it says together with what it inherits.
    type Config: Clone + Default;

    /// Whether one that names no base goes by the one of its own name below `configs`, and only if
    /// there is none by `default`; such a base inherits nothing itself. As Resilience4j has it for
    /// circuit breakers alone; the others go by `default`.
    const OWN_NAME_FIRST: bool;

    /// Reads what is written.
    fn read(section: &Section<'_, '_>) -> Self;

    /// `baseConfig`, and where it is written.
    fn base(&self) -> Option<&Base>;

    /// Puts what is written over what is inherited.
    fn over(&self, inherited: Self::Config) -> Self::Config;

    /// Looks at what can only be judged with what is inherited.
    fn check(&self, _config: &Self::Config, _context: &Context<'_>) {}
}

/// `baseConfig`, and where it is written.
#[derive(Debug, Clone)]
pub(super) struct Base {
    name: String,
    span: Span,
}

/// Reads `baseConfig`; an empty one is none.
pub(super) fn base(section: &Section<'_, '_>) -> Option<Base> {
    let value = section.value("base-config")?;
    let name = value.text().into_owned();
    (!name.is_empty()).then_some(Base { name, span: value.span })
}

type Blocks<B> = BTreeMap<String, B>;

/// What those go by that name nothing else.
const DEFAULT: &str = "default";

/// Reads `configs` and `instances`, which `backends` is another name for.
pub(super) fn named<B: Block>(section: &Section<'_, '_>) -> Named<B::Config> {
    let context = section.context;
    let mut configs = Blocks::<B>::new();
    read_into(section, "configs", &mut configs);
    let mut instances = Blocks::<B>::new();
    read_into(section, "instances", &mut instances);
    read_into(section, "backends", &mut instances);
    for (name, block) in &configs {
        check_base(context, &configs, name, block);
    }
    for (name, block) in &instances {
        if let Some(base) = block.base().filter(|base| B::OWN_NAME_FIRST && base.name == *name) {
            circular(context, base);
        } else {
            check_base(context, &configs, "", block);
        }
    }
    let settle = |blocks: &Blocks<B>| {
        let settled = blocks.iter().map(|(name, block)| {
            let config = resolve(&configs, name, block, configs.len());
            block.check(&config, context);
            (name.clone(), config)
        });
        settled.collect()
    };
    Named { configs: settle(&configs), instances: settle(&instances) }
}

fn read_into<B: Block>(section: &Section<'_, '_>, name: &'static str, into: &mut Blocks<B>) {
    let Some(all) = section.section(name) else { return };
    for (name, one) in all.sections() {
        let block = B::read(&one);
        let span = one.span();
        one.finish();
        if into.insert(name.to_owned(), block).is_some() {
            let problem = Invalid::new("duplicate-key", format!("`{name}` is declared twice"))
                .with_help("write it below `instances` alone");
            section.context.error(problem.or_at(span));
        }
    }
}

/// Tells of a base that is not there, or leads back to where it came from.
fn check_base<B: Block>(context: &Context<'_>, configs: &Blocks<B>, name: &str, block: &B) {
    let Some(base) = block.base() else { return };
    let Some(mut next) = configs.get(&base.name) else {
        let known: Vec<&str> = configs.keys().map(String::as_str).collect();
        let help = if known.is_empty() {
            "there is nothing below `configs`".to_owned()
        } else {
            suggestion(&base.name, &known)
        };
        let message = format!("`baseConfig`: `{}` is not below `configs`", base.name);
        let problem = Invalid::new("unknown-config", message).with_help(help);
        context.error(problem.or_at(base.span));
        return;
    };
    let mut step = &base.name;
    // Those that are met twice are told where the circle is.
    for _ in 0..=configs.len() {
        if step == name {
            return circular(context, base);
        }
        let Some(further) = next.base() else { return };
        let Some(block) = configs.get(&further.name) else { return };
        (step, next) = (&further.name, block);
    }
}

fn circular(context: &Context<'_>, base: &Base) {
    let message = format!("`baseConfig`: `{}` goes by itself", base.name);
    let problem = Invalid::new("circular-config", message)
        .with_help("name another one, or leave `baseConfig` out");
    context.error(problem.or_at(base.span));
}

/// What `block` says with what it inherits; `depth` ends circles, which are errors anyway.
fn resolve<B: Block>(configs: &Blocks<B>, name: &str, block: &B, depth: usize) -> B::Config {
    let further = |name: &str| match (configs.get(name), depth.checked_sub(1)) {
        (Some(block), Some(depth)) => resolve(configs, name, block, depth),
        (None | Some(_), _) => B::Config::default(),
    };
    let inherited = match block.base() {
        Some(base) => further(&base.name),
        None if B::OWN_NAME_FIRST => match configs.get(name) {
            Some(own) => own.over(B::Config::default()),
            None => further(DEFAULT),
        },
        None if name != DEFAULT => further(DEFAULT),
        None => B::Config::default(),
    };
    block.over(inherited)
}

/// Puts a value that is written in the place of one that is inherited.
pub(super) fn put<T: Clone>(place: &mut T, written: Option<&T>) {
    set(place, written.cloned());
}

fn invalid(message: String) -> Invalid {
    Invalid::new("invalid-value", message)
}

/// A whole number from 1 to `most`.
pub(super) fn up_to(most: u32) -> impl Fn(&Value<'_>) -> Result<u32, Invalid> {
    move |value| {
        let number = values::int(value)?;
        u32::try_from(number).ok().filter(|number| (1..=most).contains(number)).ok_or_else(|| {
            invalid(format!("`{number}` is not from 1 to {most}"))
                .with_help(format!("write a whole number from 1 to {most}"))
        })
    }
}

/// A duration in Boot's forms, of `least` at least.
pub(super) fn at_least(least: Duration) -> impl Fn(&Value<'_>) -> Result<Duration, Invalid> {
    move |value| {
        let duration = values::spring_duration(value)?;
        duration.filter(|duration| *duration >= least).ok_or_else(|| {
            let message = if least.is_zero() {
                format!("`{}` is negative", value.text())
            } else {
                format!("`{}` is shorter than {least:?}", value.text())
            };
            invalid(message).with_help("write `500ms`, `2s`, `1m`, `PT2S`, or milliseconds")
        })
    }
}

/// A number that is finite.
pub(super) fn number(value: &Value<'_>) -> Result<f64, Invalid> {
    let text = value.text();
    let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or_else(|| invalid(format!("`{text}` is not a number")))
}

/// One of some names, in Boot's spellings.
pub(super) fn choice<T: Copy>(value: &Value<'_>, choices: &[(&str, T)]) -> Result<T, Invalid> {
    let text = value.text();
    let found = choices.iter().find(|(name, _)| relaxed_equal(name, text.trim()));
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<String> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
        let names = names.join(", ");
        invalid(format!("`{text}` is not one of {names}"))
            .with_help(format!("write one of {names}"))
    })
}
