use proptest::prelude::*;

use super::{JavaPattern, PatternFailure, Replacement};

/// Pattern, text, whether the pattern matches all of it.
const MATCHES: &[(&str, &str, bool)] = &[
    ("abc", "abc", true),
    ("abc", "abcd", false),
    ("a|ab", "ab", true),
    ("a|b", "xb", false),
    ("^a.*$", "abc", true),
    ("", "", true),
    ("", "a", false),
    (".*", "a\nb", false),
    (".*", "a\rb", false),
    (".*", "a\u{85}b", false),
    (".*", "a\u{2028}b", false),
    (".*", "a\u{2029}b", false),
    (".*", "a\u{B}b", true),
    ("(?s).*", "a\nb", true),
    ("(?d).*", "a\rb", true),
    (".", "😀", true),
    (r"\d+", "12", true),
    (r"\d", "٣", false),
    (r"(?U)\d", "٣", true),
    (r"\w", "é", false),
    (r"(?U)\w", "é", true),
    (r"\s", "\u{A0}", false),
    (r"\s+", " \t\n\u{B}\u{C}\r", true),
    (r"\h", "\u{A0}", true),
    (r"\H", "a", true),
    (r"\v", "\u{2028}", true),
    (r"\R", "\r\n", true),
    (r"\R\n", "\r\n", true),
    (r"\bé\b", "é", true),
    ("(?i)foo", "FOO", true),
    ("(?i)é", "É", false),
    ("(?iu)é", "É", true),
    ("(?i)[a-c]", "B", true),
    ("(?i)[Z-c]", "z", true),
    ("(?i)[^a]", "A", false),
    ("(?i:a)b", "Ab", true),
    ("(?i:a)b", "AB", false),
    ("a(?i)b|c", "C", true),
    ("(a(?i)b)c", "aBC", false),
    ("(?i-i)a", "A", false),
    ("(?x) a b # c\n d", "abd", true),
    ("(?x)[a b]", " ", false),
    (r"(?x)\Q \E", " ", true),
    ("[[:alpha:]]", ":", true),
    ("[[:alpha:]]", "b", false),
    ("[a-d[m-p]]", "n", true),
    ("[a-z&&[def]]", "e", true),
    ("[a-z&&[^bc]]", "b", false),
    ("[a-z&&def]", "e", true),
    ("[a-z&&def&&f]", "f", true),
    ("[a-z&&def&&f]", "e", false),
    (r"[^\d&&[^a]]", "a", true),
    ("[&&a]", "a", true),
    ("[a&&]", "a", true),
    ("[a&b]", "&", true),
    ("[]a]", "]", true),
    ("[^]a]", "]", false),
    ("[a^]", "^", true),
    ("[a-]", "-", true),
    ("[-a]", "-", true),
    ("[a-[b]]", "b", true),
    (r"[\w-z]", "-", true),
    (r"[\]\[\\]", "\\", true),
    (r"[\Q^]\E]", "]", true),
    (r"[~#\-]", "~", true),
    (r"\Qa.b\E+", "a.bb", true),
    (r"\Qa.b", "a.b", true),
    (r"\Qa\b\E", r"a\b", true),
    ("a++a", "aaa", false),
    ("a*+b", "aab", true),
    ("(?>a|ab)c", "abc", false),
    ("(?=a)abc", "abc", true),
    ("(?!a).*", "abc", false),
    ("a(?<=a)b", "ab", true),
    ("a(?<!a)b", "ab", false),
    (r"(a|b)\1", "aa", true),
    (r"(a|b)\1", "ab", false),
    (r"(?i)(a)\1", "aA", true),
    (r"(a)?\1b", "b", false),
    (r"(a)\10", "aa0", true),
    (r"\1(a)", "a", false),
    (r"\3(a)|b", "b", true),
    (r"\3?(a)", "a", true),
    (r"(?<x>a)\k<x>", "aa", true),
    (r"(?<x>a)(?<y>b)", "ab", true),
    ("a{2}", "aa", true),
    ("a{2,}", "aaa", true),
    ("a{1,2}", "aaa", false),
    ("a{2}{3}", "aa", true),
    ("a}", "a}", true),
    ("a]", "a]", true),
    (r"a\{", "a{", true),
    ("(?:^a)*", "", true),
    ("^*a$*", "a", true),
    ("(?=a)*a", "a", true),
    ("(?:)*a", "a", true),
    ("ba*(?<=ba*)", "baa", true),
    ("a$", "a\n", false),
    ("a$\n", "a\n", true),
    ("a$\r\n", "a\r\n", true),
    ("a\r$\n", "a\r\n", false),
    ("(?m)a$\n^b", "a\nb", true),
    ("(?m)a\n^", "a\n", false),
    (r"a\Z\n", "a\n", true),
    (r"a\z", "a", true),
    (r"\Aa", "a", true),
    (r"\Ga", "a", true),
    (r"\x41\x{42}\u0043\0104\cA", "ABCD\u{1}", true),
    (r"\uD83D\uDE00", "😀", true),
    (r"\t\e\a", "\t\u{1B}\u{7}", true),
    (r"\-\/\<\ ", "-/< ", true),
    (r"\p{Alpha}\p{L}\p{IsLatin}\pL", "aéxü", true),
    (r"\p{Alpha}", "é", false),
    (r"(?U)\p{Alpha}", "é", true),
    (r"\p{IsAlphabetic}", "é", true),
    (r"\p{javaLowerCase}", "é", true),
    (r"\P{Lu}", "A", false),
    (r"(?i)\p{Lu}", "a", true),
    (r"\p{InGreek}", "α", true),
    (r"\p{script=Cyrillic}", "я", true),
    (r"[\p{L}&&[^\p{Lu}]]", "A", false),
    (r"\p{Punct}+", r##"!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"##, true),
    ("<a>", "<a>", true),
    ("a&&b~-#", "a&&b~-#", true),
    ("(|a)b", "b", true),
];

#[test]
fn matches_what_java_matches() {
    for (pattern, text, expected) in MATCHES {
        let compiled = JavaPattern::new(pattern).unwrap_or_else(|why| panic!("{pattern}: {why}"));
        assert_eq!(compiled.is_full_match(text), Ok(*expected), "{pattern} on {text:?}");
    }
}

/// What Java refuses, and part of our reason.
const INVALID: &[(&str, &str)] = &[
    ("(", "`(` without `)`"),
    (")", "`)` without `(`"),
    ("[a", "`[` without `]`"),
    ("[]", "`[` without `]`"),
    ("[^]", "`[` without `]`"),
    ("[z-a]", "range"),
    ("[a--b]", "range"),
    (r"[a-\d]", "range"),
    ("[&&]", "between nothing"),
    ("*a", "nothing to repeat before `*`"),
    ("a**", "nothing to repeat before `*`"),
    ("(?i)*", "nothing to repeat"),
    ("{", "opens no repetition"),
    ("x{2", "opens no repetition"),
    ("a{,2}", "opens no repetition"),
    ("a{x}", "opens no repetition"),
    ("a{2,1}", "ends before it starts"),
    ("a{99999999999}", "opens no repetition"),
    (r"\i", "unknown escape `\\i`"),
    (r"[\q]", "unknown escape `\\q`"),
    (r"[\1]", "unknown escape `\\1`"),
    ("a\\", "nothing behind"),
    ("(?P<n>a)", "unknown group `(?P`"),
    ("(?<a_b>x)", "a group name is"),
    ("(?<1>x)", "a group name is"),
    ("(?<a>x)(?<a>y)", "two groups"),
    (r"\k<a>(?<a>x)", "there is no group `a` yet"),
    (r"\p{Nope}", "unknown property"),
    (r"\p{IsNope}", ""),
    (r"\x1", "hexadecimal"),
    (r"\uD83D", "no character"),
    ("(((a{1000}){1000}){1000})", "size"),
    (r"(?:(?:(?:\pL{100}){100}){100})(?=a)", ""),
];

#[test]
fn refuses_what_java_refuses() {
    for (pattern, reason) in INVALID {
        let error = JavaPattern::new(pattern).map(drop).expect_err(pattern).to_string();
        assert!(error.contains(reason), "{pattern}: {error}");
        assert!(!error.contains('\n') && !error.starts_with(char::is_uppercase), "{error}");
    }
    assert!(JavaPattern::new(&"(".repeat(10_000)).is_err());
    assert!(JavaPattern::new(&"[".repeat(10_000)).is_err());
    assert!(JavaPattern::new(&"a".repeat(100_000)).is_err());
}

#[test]
fn a_pattern_that_repeats_a_lot_stays_small() {
    for pattern in [r"(((a{1000}){1000}){1000})\1", r"(((a|\1){1000}){1000}){1000}"] {
        let pattern = JavaPattern::new(pattern).unwrap();
        assert_eq!(pattern.is_full_match("aaa"), Ok(false));
    }
}

#[test]
fn dotall_is_a_constructor() {
    let pattern = JavaPattern::with_dotall(".+").unwrap();
    assert_eq!(pattern.is_full_match("a\nb"), Ok(true));
    assert_eq!(pattern.as_str(), ".+");
}

#[test]
fn gives_up_on_a_pattern_that_goes_back_too_often() {
    let pattern = JavaPattern::new(r"(a*)*\1b").unwrap();
    let failure = pattern.is_full_match(&"a".repeat(40)).unwrap_err();
    assert!(matches!(failure, PatternFailure::LimitReached { .. }), "{failure}");
}

#[test]
fn simple_patterns_run_in_linear_time() {
    for pattern in
        ["abc", "a.*", r"^\d{3}$", "(?i)foo|bar", r"[a-z&&[^b]]+", "(?<id>x)$", r"\w+\.x"]
    {
        let program = JavaPattern::new(pattern).unwrap().full;
        assert!(!matches!(program, super::Program::Backtracking(_)), "{pattern}");
    }
}

#[test]
fn knows_its_groups() {
    let pattern = JavaPattern::new("(?<a>x)(y)(?<b>z)(?:q)").unwrap();
    assert!(pattern.has_groups());
    assert_eq!(pattern.group_names().collect::<Vec<_>>(), ["a", "b"]);
    assert!(!JavaPattern::new(r"(?:a)(?=b)\(").unwrap().has_groups());
}

/// Pattern, replacement as configured, text, result; `!` for an error.
const REPLACEMENTS: &[(&str, &str, &str, &str)] = &[
    ("/foo", "/baz", "/foo/bar", "/baz/bar"),
    (r"/foo/(?<id>\d.*)", r"/bar/baz/$\{id}", "/foo/123", "/bar/baz/123"),
    ("/red/?(?<segment>.*)", r"/$\{segment}", "/red", "/"),
    ("/red", "/x", "/red/a/red/b", "/x/a/x/b"),
    (".*", "/y", "/x", "/y/y"),
    ("/.*", "/y", "/x", "/y"),
    ("^.*$", "/y", "/x", "/y"),
    ("(?<s>.*)", "/p${s}", "/x", "/p/x/p"),
    ("/a/(.*)", "/$1/$1", "/a/b", "/b/b"),
    ("/a/(.*)", "/$10", "/a/b", "/b0"),
    ("/a/(.*)", "/$1x", "/a/b", "/bx"),
    ("/a/(.*)", "/$0", "/a/b", "//a/b"),
    ("/a/(.*)", "/$2", "/a/b", "!there is no group `$2`"),
    ("/a/(.*)", "/${nope}", "/a/b", "!there is no group `${nope}`"),
    ("/zzz/(.*)", "/${nope}", "/a/b", "/a/b"),
    ("/a/(.*)", "/$x", "/a/b", "!`$` without a group"),
    ("/a/(.*)", "/$", "/a/b", "!`$` without a group"),
    ("/a/(.*)", "/$$1", "/a/b", "!`$` without a group"),
    ("/a/(.*)", "/${1a}", "/a/b", "!start with a digit"),
    ("/a/(.*)", "/${a", "/a/b", "!`${` without"),
    ("/a/(.*)", "/${}", "/a/b", "!`${` without"),
    ("/a/(.*)", r"/\$1", "/a/b", "/$1"),
    ("/a/(.*)", r"/c\d", "/a/b", "/cd"),
    ("/a/(.*)", r"/$\1", "/a/b", "/b"),
    ("/a/(.*)", "", "/a/b", ""),
    ("(?i)/a/(.*)", "/$1", "/A/b", "/b"),
    ("/a/(b)|(z)", "/$1-$2", "/a/b", "/b-"),
    ("a*", "x", "baaac", "xbxxcx"),
    ("a*", "x", "é", "xéx"),
    (".*", "x", "abc", "xx"),
    (".*", "x", "", "x"),
    ("b", r"\", "abc", "!nothing behind"),
    ("(a)|z", "[$1]", "z", "[]"),
    ("(?<=a)b", "x", "abab", "axax"),
    (r"\bb", "x", "ab b", "ab x"),
    (r"\Ga", "x", "aaba", "xxba"),
    ("a$", "x", "a\n", "x\n"),
    ("$", "x", "a\n", "ax\nx"),
    ("abc", "x", "zabcabcz", "zxxz"),
];

#[test]
fn replaces_what_java_replaces() {
    for (pattern, replacement, text, expected) in REPLACEMENTS {
        let compiled = JavaPattern::new(pattern).unwrap();
        let replacement = Replacement::parse_configured(replacement);
        let found = compiled.replace_all(text, &replacement).map_err(|failure| failure.to_string());
        match (expected.strip_prefix('!'), found) {
            (None, Ok(found)) => assert_eq!(found, *expected, "{pattern} on {text}"),
            (Some(reason), Err(failure)) => {
                assert!(failure.contains(reason), "{pattern} on {text}: {failure}");
                assert_eq!(replacement.check(&compiled), Err(failure));
            }
            (_, found) => panic!("{pattern} on {text}: {found:?}"),
        }
    }
}

#[test]
fn a_replacement_is_checked_without_a_text() {
    let pattern = JavaPattern::new("(?<id>a)").unwrap();
    assert_eq!(Replacement::parse_configured(r"$\{id}$1").check(&pattern), Ok(()));
    assert!(Replacement::parse_configured("$2").check(&pattern).is_err());
}

proptest! {
    #[test]
    fn never_panics(pattern in "\\PC{0,12}", text in "\\PC{0,12}", replacement in "\\PC{0,6}") {
        exercise(&pattern, &text, &replacement);
    }

    #[test]
    fn never_panics_on_operators(
        pattern in r"[ab()\[\]{}?*+|^$.\\&\-:<=!>,1QEdkpuxsi#]{0,14}",
        text in "[ab1\n]{0,8}",
        replacement in r"[$\\{}1a]{0,5}",
    ) {
        exercise(&pattern, &text, &replacement);
    }
}

fn exercise(pattern: &str, text: &str, replacement: &str) {
    let Ok(pattern) = JavaPattern::new(pattern) else { return };
    let replacement = Replacement::parse_configured(replacement);
    let checked = replacement.check(&pattern);
    drop(pattern.is_full_match(text));
    let replaced = pattern.replace_all(text, &replacement);
    if checked.is_ok() {
        assert!(!matches!(replaced, Err(PatternFailure::BadReplacement(_))), "{replaced:?}");
    }
}
