//! `\p{…}`: Java's names for sets of characters.

/// The body of a class with the characters of a property; `None` if there is no such property.
///
/// `fold` is `(?i)`, under which the three cases are one; `unicode` is `(?U)`.
pub(super) fn body(name: &str, fold: bool, unicode: bool) -> Option<String> {
    if let Some((key, value)) = name.split_once('=') {
        return match key.to_ascii_lowercase().as_str() {
            "gc" | "general_category" => category(value, fold).map(str::to_owned),
            "sc" | "script" => script(value),
            "blk" | "block" => block(value).map(str::to_owned),
            _ => None,
        };
    }
    if let Some(name) = name.strip_prefix("In") {
        return block(name).map(str::to_owned);
    }
    if let Some(name) = name.strip_prefix("Is") {
        let found = binary(name, fold).or_else(|| category(name, fold));
        return found.map(str::to_owned).or_else(|| script(name));
    }
    let named = if unicode { posix_unicode(name, fold) } else { posix(name, fold) };
    named.or_else(|| java(name, fold)).or_else(|| category(name, fold)).map(str::to_owned)
}

const CASED: &str = r"\p{Lu}\p{Ll}\p{Lt}";

fn posix(name: &str, fold: bool) -> Option<&'static str> {
    Some(match name {
        "Lower" | "Upper" if fold => "a-zA-Z",
        "Lower" => "a-z",
        "Upper" => "A-Z",
        "ASCII" => r"\x00-\x7F",
        "Alpha" => "a-zA-Z",
        "Digit" => "0-9",
        "Alnum" => "0-9a-zA-Z",
        "Punct" => r"!-/:-@\[-`\{-\~",
        "Graph" => r"!-\~",
        "Print" => r"\x20-\~",
        "Blank" => r"\x20\t",
        "Cntrl" => r"\x00-\x1F\x7F",
        "XDigit" => "0-9a-fA-F",
        "Space" => r"\x20\t-\r",
        _ => return None,
    })
}

fn posix_unicode(name: &str, fold: bool) -> Option<&'static str> {
    match name {
        "ASCII" => posix(name, fold),
        "Lower" => binary("Lowercase", fold),
        "Upper" => binary("Uppercase", fold),
        "Alpha" => binary("Alphabetic", fold),
        "Space" => binary("White_Space", fold),
        "Cntrl" => binary("Control", fold),
        "Punct" => binary("Punctuation", fold),
        "XDigit" => Some(r"\p{Nd}\p{Hex_Digit}"),
        "Digit" | "Alnum" | "Blank" | "Graph" | "Print" => binary(name, fold),
        _ => None,
    }
}

fn binary(name: &str, fold: bool) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "lowercase" | "uppercase" | "titlecase" if fold => r"\p{Lowercase}\p{Uppercase}\p{Lt}",
        "lowercase" => r"\p{Lowercase}",
        "uppercase" => r"\p{Uppercase}",
        "titlecase" => r"\p{Lt}",
        "alphabetic" => r"\p{Alphabetic}",
        "letter" => r"\p{L}",
        "ideographic" => r"\p{Ideographic}",
        "white_space" | "whitespace" => r"\p{White_Space}",
        "control" => r"\p{Cc}",
        "punctuation" => r"\p{P}",
        "hex_digit" | "hexdigit" => r"\p{Hex_Digit}",
        "assigned" => r"\P{Cn}",
        "noncharacter_code_point" | "noncharactercodepoint" => r"\p{Noncharacter_Code_Point}",
        "digit" => r"\p{Nd}",
        "alnum" => r"\p{Alphabetic}\p{Nd}",
        "blank" => r"\p{Zs}\t",
        "graph" => r"[^\p{White_Space}\p{Cc}\p{Cn}]",
        "print" => r"[^\p{White_Space}\p{Cc}\p{Cn}]\p{Zs}",
        "word" => r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}",
        "join_control" | "joincontrol" => r"\p{Join_Control}",
        "emoji" => r"\p{Emoji}",
        _ => return None,
    })
}

fn java(name: &str, fold: bool) -> Option<&'static str> {
    Some(match name.strip_prefix("java")? {
        "LowerCase" => return binary("lowercase", fold),
        "UpperCase" => return binary("uppercase", fold),
        "TitleCase" => return binary("titlecase", fold),
        "Alphabetic" => r"\p{Alphabetic}",
        "Ideographic" => r"\p{Ideographic}",
        "Digit" => r"\p{Nd}",
        "Defined" => r"\P{Cn}",
        "Letter" => r"\p{L}",
        "LetterOrDigit" => r"\p{L}\p{Nd}",
        "JavaIdentifierStart" => r"\p{L}\p{Nl}\p{Sc}\p{Pc}",
        "JavaIdentifierPart" => {
            r"\p{L}\p{Nl}\p{Sc}\p{Pc}\p{Nd}\p{Mn}\p{Mc}\p{Cf}\x00-\x08\x0E-\x1B\x7F-\x9F"
        }
        "UnicodeIdentifierStart" => r"\p{L}\p{Nl}\p{Other_ID_Start}",
        "UnicodeIdentifierPart" => {
            r"\p{L}\p{Nl}\p{Pc}\p{Nd}\p{Mn}\p{Mc}\p{Cf}\x00-\x08\x0E-\x1B\x7F-\x9F"
        }
        "IdentifierIgnorable" => r"\p{Cf}\x00-\x08\x0E-\x1B\x7F-\x9F",
        "SpaceChar" => r"\p{Z}",
        "Whitespace" => r"[\p{Z}&&[^\u{A0}\u{2007}\u{202F}]]\t-\r\x1C-\x1F",
        "ISOControl" => r"\x00-\x1F\x7F-\x9F",
        _ => return None,
    })
}

fn category(name: &str, fold: bool) -> Option<&'static str> {
    const NAMES: [(&str, &str); 36] = [
        ("L", r"\p{L}"),
        ("Lu", r"\p{Lu}"),
        ("Ll", r"\p{Ll}"),
        ("Lt", r"\p{Lt}"),
        ("Lm", r"\p{Lm}"),
        ("Lo", r"\p{Lo}"),
        ("M", r"\p{M}"),
        ("Mn", r"\p{Mn}"),
        ("Me", r"\p{Me}"),
        ("Mc", r"\p{Mc}"),
        ("N", r"\p{N}"),
        ("Nd", r"\p{Nd}"),
        ("Nl", r"\p{Nl}"),
        ("No", r"\p{No}"),
        ("Z", r"\p{Z}"),
        ("Zs", r"\p{Zs}"),
        ("Zl", r"\p{Zl}"),
        ("Zp", r"\p{Zp}"),
        ("C", r"\p{C}"),
        ("Cc", r"\p{Cc}"),
        ("Cf", r"\p{Cf}"),
        ("Co", r"\p{Co}"),
        ("Cn", r"\p{Cn}"),
        ("P", r"\p{P}"),
        ("Pd", r"\p{Pd}"),
        ("Ps", r"\p{Ps}"),
        ("Pe", r"\p{Pe}"),
        ("Pc", r"\p{Pc}"),
        ("Po", r"\p{Po}"),
        ("Pi", r"\p{Pi}"),
        ("Pf", r"\p{Pf}"),
        ("S", r"\p{S}"),
        ("Sm", r"\p{Sm}"),
        ("Sc", r"\p{Sc}"),
        ("Sk", r"\p{Sk}"),
        ("So", r"\p{So}"),
    ];
    match name {
        "Lu" | "Ll" | "Lt" if fold => Some(CASED),
        "LC" => Some(CASED),
        "LD" => Some(r"\p{L}\p{Nd}"),
        "L1" => Some(r"\x00-\u{FF}"),
        "all" => Some(r"\x00-\u{10FFFF}"),
        name => NAMES.iter().find(|(known, _)| *known == name).map(|(_, body)| *body),
    }
}

/// The engine knows the scripts, and refuses those it does not.
fn script(name: &str) -> Option<String> {
    let is_name = |part: char| part.is_ascii_alphanumeric() || part == '_';
    (!name.is_empty() && name.chars().all(is_name)).then(|| format!(r"\p{{sc={name}}}"))
}

fn block(name: &str) -> Option<&'static str> {
    let name: String = name.chars().filter(|part| !matches!(part, ' ' | '_' | '-')).collect();
    Some(match name.to_ascii_lowercase().as_str() {
        "basiclatin" => r"\x00-\x7F",
        "latin1supplement" => r"\u{80}-\u{FF}",
        "latinextendeda" => r"\u{100}-\u{17F}",
        "latinextendedb" => r"\u{180}-\u{24F}",
        "greek" | "greekandcoptic" => r"\u{370}-\u{3FF}",
        "cyrillic" => r"\u{400}-\u{4FF}",
        "armenian" => r"\u{530}-\u{58F}",
        "hebrew" => r"\u{590}-\u{5FF}",
        "arabic" => r"\u{600}-\u{6FF}",
        "devanagari" => r"\u{900}-\u{97F}",
        "thai" => r"\u{E00}-\u{E7F}",
        "generalpunctuation" => r"\u{2000}-\u{206F}",
        "hiragana" => r"\u{3040}-\u{309F}",
        "katakana" => r"\u{30A0}-\u{30FF}",
        "cjkunifiedideographs" => r"\u{4E00}-\u{9FFF}",
        "hangulsyllables" => r"\u{AC00}-\u{D7AF}",
        _ => return None,
    })
}
