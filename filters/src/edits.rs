//! What was done to a request's head, written down so that it can be undone.
//!
//! Written down is the state of the part that is about to change, and only while somebody may want
//! the request back as it was: a request on whose way nothing is repeated pays one test per edit.

use http::{HeaderName, HeaderValue, Uri};
use pingora_http::RequestHeader;

/// The edits since the first [`Edits::mark`].
#[derive(Debug, Default)]
pub struct Edits {
    /// `None` as long as nobody may want them undone.
    log: Option<Vec<Before>>,
}

/// A part of a head before it was edited.
#[derive(Debug)]
enum Before {
    Target {
        uri: Uri,
        /// The bytes as they were sent, where the URI cannot hold them.
        raw: Option<Box<[u8]>>,
    },
    /// The lines of one name, each in its spelling.
    Header { name: HeaderName, lines: Vec<(String, HeaderValue)> },
}

impl Edits {
    /// A point to come back to; edits are written down from here on.
    pub(crate) fn mark(&mut self) -> usize {
        self.log.get_or_insert_default().len()
    }

    /// The target is about to change.
    pub(crate) fn on_target(&mut self, head: &RequestHeader) {
        let Some(log) = &mut self.log else { return };
        let raw = head.raw_path();
        let is_in_uri =
            head.uri.path_and_query().is_some_and(|target| target.as_str().as_bytes() == raw);
        let raw = (!is_in_uri).then(|| raw.into());
        log.push(Before::Target { uri: head.uri.clone(), raw });
    }

    /// The lines of one name are about to change.
    pub(crate) fn on_header(&mut self, head: &RequestHeader, name: &HeaderName) {
        let Some(log) = &mut self.log else { return };
        log.push(Before::Header { name: name.clone(), lines: lines(head, name) });
    }

    /// Undoes everything since a mark, the latest first.
    pub(crate) fn undo(&mut self, head: &mut RequestHeader, mark: usize) {
        let Some(log) = &mut self.log else { return };
        while log.len() > mark {
            match log.pop() {
                Some(Before::Target { uri, raw }) => restore_target(head, uri, raw.as_deref()),
                Some(Before::Header { name, lines }) => {
                    head.remove_header(&name);
                    for (spelling, value) in lines {
                        // There is room: it was there before.
                        drop(head.append_header(spelling, value));
                    }
                }
                None => break,
            }
        }
    }
}

fn lines(head: &RequestHeader, name: &HeaderName) -> Vec<(String, HeaderValue)> {
    if !head.headers.contains_key(name) {
        return Vec::new();
    }
    if !head.has_case() {
        let values = head.headers.get_all(name).iter().cloned();
        return values.map(|value| (name.as_str().to_owned(), value)).collect();
    }
    let lines = head.case_header_iter();
    let own = lines
        .filter(|(spelling, _)| spelling.as_slice().eq_ignore_ascii_case(name.as_str().as_bytes()));
    own.map(|(spelling, value)| {
        (String::from_utf8_lossy(spelling.as_slice()).into_owned(), value.clone())
    })
    .collect()
}

fn restore_target(head: &mut RequestHeader, uri: Uri, raw: Option<&[u8]>) {
    let is_restored = raw.is_some_and(|raw| head.set_raw_path(raw).is_ok());
    if !is_restored {
        head.set_uri(uri);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::head;

    /// Every line of a head, sorted by name, with its spelling.
    fn told(head: &RequestHeader) -> Vec<String> {
        let line = |(name, value): (&[u8], &HeaderValue)| {
            format!("{}: {}", String::from_utf8_lossy(name), value.to_str().unwrap())
        };
        let mut lines: Vec<_> =
            head.case_header_iter().map(|(name, value)| line((name.as_slice(), value))).collect();
        lines.sort_by_key(|line| line.split(':').next().unwrap_or_default().to_lowercase());
        lines.insert(0, String::from_utf8_lossy(head.raw_path()).into_owned());
        lines
    }

    #[test]
    fn undoes_down_to_a_mark() {
        let mut head = head("GET /a?x=1");
        head.append_header("X-Two", "1").unwrap();
        head.append_header("x-TWO", "2").unwrap();
        let before = told(&head);
        let mut edits = Edits::default();
        let outer = edits.mark();

        edits.on_header(&head, &HeaderName::from_static("x-two"));
        head.remove_header("x-two");
        edits.on_header(&head, &HeaderName::from_static("x-new"));
        head.insert_header("X-New", "1").unwrap();
        let between = told(&head);
        let inner = edits.mark();

        edits.on_target(&head);
        head.set_uri("/b".parse().unwrap());
        edits.on_header(&head, &HeaderName::from_static("x-new"));
        head.append_header("X-New", "2").unwrap();

        edits.undo(&mut head, inner);
        assert_eq!(told(&head), between);
        edits.undo(&mut head, outer);
        assert_eq!(told(&head), before);
        edits.undo(&mut head, outer);
        assert_eq!(told(&head), before);
    }

    #[test]
    fn a_target_that_is_no_uri_comes_back_as_it_was() {
        let mut head = head("GET /a");
        head.set_raw_path(b"/caf\xe9?x").unwrap();
        let mut edits = Edits::default();
        let mark = edits.mark();
        edits.on_target(&head);
        head.set_uri("/b".parse().unwrap());
        edits.undo(&mut head, mark);
        assert_eq!(head.raw_path(), b"/caf\xe9?x");
    }

    #[test]
    fn nothing_is_written_down_before_the_first_mark() {
        let mut head = head("GET /a");
        let mut edits = Edits::default();
        edits.on_target(&head);
        head.set_uri("/b".parse().unwrap());
        edits.undo(&mut head, 0);
        assert_eq!(head.raw_path(), b"/b");
    }
}
