//! Status codes as filters name them (`filters.md` 3.8).

use crate::Invalid;

/// A status by number or name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status {
    /// The number, which need not be one that HTTP allows.
    pub(crate) code: i32,
    /// Whether the number has a name in the reference gateway.
    pub(crate) is_standard: bool,
}

impl Status {
    /// Reads a number, or a name such as `NOT_FOUND`, in any case.
    ///
    /// # Errors
    ///
    /// A name that is none.
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        if let Ok(code) = text.parse::<i32>() {
            return Ok(Self { code, is_standard: is_standard(code) });
        }
        let name = text.to_uppercase();
        NAMES
            .iter()
            .chain(OLD_NAMES)
            .find(|(_, known)| *known == name)
            .map(|(code, _)| Self { code: *code, is_standard: is_standard(*code) })
            .ok_or_else(|| {
                Invalid::argument("status", format!("`{text}` is not a status"))
                    .with_help("write a number, or a name such as `NOT_FOUND`")
            })
    }

    /// Reads a name alone, in which only letters and digits count, in any case.
    pub(crate) fn named(text: &str) -> Option<Self> {
        fn canonical(text: &str) -> impl Iterator<Item = char> {
            text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase)
        }
        let mut known = NAMES.iter().chain(OLD_NAMES);
        let (code, _) = known.find(|(_, name)| canonical(name).eq(canonical(text)))?;
        Some(Self { code: *code, is_standard: is_standard(*code) })
    }

    /// The number, if a response can have it.
    pub(crate) fn sendable(self) -> Option<u16> {
        u16::try_from(self.code).ok().filter(|code| (100..=999).contains(code))
    }
}

/// The name the reference gateway has for a status code, such as `NOT_FOUND`; `None` for a code that
/// has none.
pub fn status_name(code: u16) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| *known == i32::from(code)).map(|(_, name)| *name)
}

fn is_standard(code: i32) -> bool {
    NAMES.iter().any(|(known, _)| *known == code)
}

const NAMES: &[(i32, &str)] = &[
    (100, "CONTINUE"),
    (101, "SWITCHING_PROTOCOLS"),
    (102, "PROCESSING"),
    (103, "EARLY_HINTS"),
    (200, "OK"),
    (201, "CREATED"),
    (202, "ACCEPTED"),
    (203, "NON_AUTHORITATIVE_INFORMATION"),
    (204, "NO_CONTENT"),
    (205, "RESET_CONTENT"),
    (206, "PARTIAL_CONTENT"),
    (207, "MULTI_STATUS"),
    (208, "ALREADY_REPORTED"),
    (226, "IM_USED"),
    (300, "MULTIPLE_CHOICES"),
    (301, "MOVED_PERMANENTLY"),
    (302, "FOUND"),
    (303, "SEE_OTHER"),
    (304, "NOT_MODIFIED"),
    (307, "TEMPORARY_REDIRECT"),
    (308, "PERMANENT_REDIRECT"),
    (400, "BAD_REQUEST"),
    (401, "UNAUTHORIZED"),
    (402, "PAYMENT_REQUIRED"),
    (403, "FORBIDDEN"),
    (404, "NOT_FOUND"),
    (405, "METHOD_NOT_ALLOWED"),
    (406, "NOT_ACCEPTABLE"),
    (407, "PROXY_AUTHENTICATION_REQUIRED"),
    (408, "REQUEST_TIMEOUT"),
    (409, "CONFLICT"),
    (410, "GONE"),
    (411, "LENGTH_REQUIRED"),
    (412, "PRECONDITION_FAILED"),
    (413, "CONTENT_TOO_LARGE"),
    (413, "PAYLOAD_TOO_LARGE"),
    (414, "URI_TOO_LONG"),
    (415, "UNSUPPORTED_MEDIA_TYPE"),
    (416, "REQUESTED_RANGE_NOT_SATISFIABLE"),
    (417, "EXPECTATION_FAILED"),
    (418, "I_AM_A_TEAPOT"),
    (421, "MISDIRECTED_REQUEST"),
    (422, "UNPROCESSABLE_CONTENT"),
    (422, "UNPROCESSABLE_ENTITY"),
    (423, "LOCKED"),
    (424, "FAILED_DEPENDENCY"),
    (425, "TOO_EARLY"),
    (426, "UPGRADE_REQUIRED"),
    (428, "PRECONDITION_REQUIRED"),
    (429, "TOO_MANY_REQUESTS"),
    (431, "REQUEST_HEADER_FIELDS_TOO_LARGE"),
    (451, "UNAVAILABLE_FOR_LEGAL_REASONS"),
    (500, "INTERNAL_SERVER_ERROR"),
    (501, "NOT_IMPLEMENTED"),
    (502, "BAD_GATEWAY"),
    (503, "SERVICE_UNAVAILABLE"),
    (504, "GATEWAY_TIMEOUT"),
    (505, "HTTP_VERSION_NOT_SUPPORTED"),
    (506, "VARIANT_ALSO_NEGOTIATES"),
    (507, "INSUFFICIENT_STORAGE"),
    (508, "LOOP_DETECTED"),
    (509, "BANDWIDTH_LIMIT_EXCEEDED"),
    (510, "NOT_EXTENDED"),
    (511, "NETWORK_AUTHENTICATION_REQUIRED"),
];

/// Names that older releases of the reference gateway know.
const OLD_NAMES: &[(i32, &str)] = &[
    (103, "CHECKPOINT"),
    (302, "MOVED_TEMPORARILY"),
    (305, "USE_PROXY"),
    (413, "REQUEST_ENTITY_TOO_LARGE"),
    (414, "REQUEST_URI_TOO_LONG"),
    (419, "INSUFFICIENT_SPACE_ON_RESOURCE"),
    (420, "METHOD_FAILURE"),
    (421, "DESTINATION_LOCKED"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(i32, bool)>) {
        let status = Status::parse(text).ok();
        assert_eq!(status.map(|status| (status.code, status.is_standard)), expected, "{text}");
    }

    #[test]
    fn reads_numbers_and_names() {
        check("404", Some((404, true)));
        check("+404", Some((404, true)));
        check("0432", Some((432, false)));
        check("-1", Some((-1, false)));
        check("i_am_a_TeaPot", Some((418, true)));
        check("MOVED_TEMPORARILY", Some((302, true)));
        check("METHOD_FAILURE", Some((420, false)));
    }

    #[test]
    fn reads_a_name_in_any_form() {
        let code = |text| Status::named(text).map(|status| status.code);
        assert_eq!(code("too-many_Requests"), Some(429));
        assert_eq!(code("Service Unavailable"), Some(503));
        assert_eq!((code("429"), code("nothing"), code("")), (None, None, None));
    }

    #[test]
    fn refuses_other_texts() {
        check("not-found", None);
        check("Not Found", None);
        check(" 404", None);
        check("4.4", None);
        check("", None);
    }

    #[test]
    fn sends_three_digits_only() {
        let sendable = |code| Status { code, is_standard: false }.sendable();
        assert_eq!((sendable(99), sendable(100), sendable(999)), (None, Some(100), Some(999)));
        assert_eq!((sendable(1000), sendable(-1)), (None, None));
    }
}
