//! One JSON line for each request, written off the request path.
//!
//! A request formats its line into the buffer of its thread's shard; one thread takes all buffers
//! every few milliseconds and writes them. A slow output costs lines, never requests.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use jiff::Timestamp;
use memchr::memchr_iter;
use smallvec::SmallVec;

use crate::config;
use crate::ip_text::write_ip;

/// What one line tells.
#[derive(Debug)]
pub struct Line<'a> {
    /// When the request arrived, in nanoseconds since the epoch.
    pub unix_nanos: i128,
    /// Id of the chosen route.
    pub route: Option<&'a JsonText>,
    /// The method as sent.
    pub method: &'a str,
    /// The raw path as sent, without the query.
    pub path: &'a str,
    /// The status the client got; 0 if there was none.
    pub status: u16,
    /// The reason code, if the gateway answered itself.
    pub code: Option<&'a str>,
    /// Bytes of the answer's body.
    pub bytes_out: usize,
    /// From the request's head to the end of the answer.
    pub duration: Duration,
    /// The upstream's address.
    pub upstream: Option<SocketAddr>,
    /// From the first connection attempt to the upstream's head.
    pub upstream_duration: Option<Duration>,
    /// How often an upstream was tried.
    pub attempts: u32,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// The trace id the client sent.
    pub trace_id: Option<&'a str>,
}

/// A text as JSON writes it, made once. In place if it is short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonText(SmallVec<[u8; 16]>);

impl JsonText {
    /// Quotes and escapes a text.
    pub fn new(text: &str) -> Self {
        let mut json = Vec::new();
        push_string(&mut json, text);
        Self(json.into())
    }

    /// The text in its quotes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Formats lines and hands them to the writer thread.
#[derive(Debug)]
pub struct AccessLog(Option<Running>);

#[derive(Debug)]
struct Running {
    shared: Arc<Shared>,
    thread: Thread,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    /// Each worker thread has one to itself most of the time, so the lock is not shared.
    shards: Vec<Mutex<Vec<u8>>>,
    is_pending: AtomicBool,
    is_closed: AtomicBool,
    lost: AtomicU64,
}

/// A shard this full loses lines instead of growing: the output is too slow.
const SHARD_LIMIT: usize = 4 << 20;

/// How long lines may wait; also how much work one write does at a time.
const PAUSE: Duration = Duration::from_millis(10);

impl AccessLog {
    /// Starts the writer thread.
    ///
    /// # Errors
    ///
    /// The file cannot be opened for appending.
    pub fn start(output: &config::AccessLog, shards: usize) -> io::Result<Self> {
        let sink: Box<dyn Write + Send> = match output {
            config::AccessLog::Stdout => Box::new(io::stdout()),
            config::AccessLog::Stderr => Box::new(io::stderr()),
            config::AccessLog::File(path) => Box::new(open(path)?),
            config::AccessLog::Off => return Ok(Self(None)),
        };
        let shared = Arc::new(Shared {
            shards: (0..shards.max(1)).map(|_| Mutex::default()).collect(),
            is_pending: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            lost: AtomicU64::new(0),
        });
        let for_writer = Arc::clone(&shared);
        let writer = thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || for_writer.write_all(sink))?;
        let thread = writer.thread().clone();
        Ok(Self(Some(Running { shared, thread, writer: Mutex::new(Some(writer)) })))
    }

    /// Adds a line.
    pub fn log(&self, line: &Line<'_>) {
        if let Some(running) = &self.0 {
            running.shared.add(line, &running.thread);
        }
    }

    /// How many lines were lost because the output was too slow or failed.
    pub fn lost(&self) -> u64 {
        self.0.as_ref().map_or(0, |running| running.shared.lost.load(Ordering::Relaxed))
    }

    /// Writes what is left; lines that come later are lost.
    pub fn close(&self) {
        let Some(running) = &self.0 else { return };
        let writer = running.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(writer) = writer else { return };
        running.shared.is_closed.store(true, Ordering::Release);
        writer.thread().unpark();
        // A writer that panicked has nothing left to write.
        drop(writer.join());
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.close();
    }
}

fn open(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

thread_local! {
    static SHARD: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed)
    };
}

impl Shared {
    fn add(&self, line: &Line<'_>, writer: &Thread) {
        let at = SHARD.with(|shard| shard % self.shards.len());
        let Some(shard) = self.shards.get(at) else { return };
        {
            let mut buffer = shard.lock().unwrap_or_else(PoisonError::into_inner);
            if buffer.len() > SHARD_LIMIT {
                self.lost.fetch_add(1, Ordering::Relaxed);
                return;
            }
            line.write_to(&mut buffer);
        }
        if !self.is_pending.swap(true, Ordering::AcqRel) {
            writer.unpark();
        }
    }

    fn write_all(&self, mut sink: Box<dyn Write + Send>) {
        let mut taken = Vec::new();
        loop {
            let is_closed = self.is_closed.load(Ordering::Acquire);
            if self.is_pending.swap(false, Ordering::AcqRel) || is_closed {
                for shard in &self.shards {
                    taken.clear();
                    std::mem::swap(
                        &mut taken,
                        &mut *shard.lock().unwrap_or_else(PoisonError::into_inner),
                    );
                    if sink.write_all(&taken).is_err() {
                        let lines = memchr_iter(b'\n', &taken).count();
                        self.lost
                            .fetch_add(lines.try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
                    }
                }
                if sink.flush().is_err() {
                    self.lost.fetch_add(1, Ordering::Relaxed);
                }
                if is_closed {
                    return;
                }
                pause();
            } else {
                thread::park();
            }
        }
    }
}

/// Lets lines gather. Not a timed park: the next line's wake-up would end that at once.
#[expect(clippy::disallowed_methods, reason = "the writer's own thread, not a worker")]
fn pause() {
    thread::sleep(PAUSE);
}

impl Line<'_> {
    /// Appends the line as JSON; nothing the client sent can break out of its string.
    fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"time\":\"");
        push_time(out, self.unix_nanos);
        out.extend_from_slice(b"\",\"route\":");
        out.extend_from_slice(self.route.map_or(b"null", JsonText::as_bytes));
        out.extend_from_slice(b",\"method\":");
        push_string(out, self.method);
        out.extend_from_slice(b",\"path\":");
        push_string(out, self.path);
        out.extend_from_slice(b",\"status\":");
        push_number(out, self.status.into());
        out.extend_from_slice(b",\"code\":");
        push_optional(out, self.code);
        out.extend_from_slice(b",\"bytes_out\":");
        push_number(out, self.bytes_out.try_into().unwrap_or(u64::MAX));
        out.extend_from_slice(b",\"duration_ms\":");
        push_millis(out, self.duration);
        out.extend_from_slice(b",\"upstream\":");
        push_address(out, self.upstream.map(|upstream| (upstream.ip(), Some(upstream.port()))));
        out.extend_from_slice(b",\"upstream_ms\":");
        match self.upstream_duration {
            Some(duration) => push_millis(out, duration),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"attempts\":");
        push_number(out, self.attempts.into());
        out.extend_from_slice(b",\"client\":");
        push_address(out, self.client.map(|client| (client, None)));
        out.extend_from_slice(b",\"trace_id\":");
        push_optional(out, self.trace_id);
        out.extend_from_slice(b"}\n");
    }
}

/// Appends a time in UTC to the millisecond. What stands before the fraction is formatted once a
/// second.
fn push_time(out: &mut Vec<u8>, unix_nanos: i128) {
    thread_local! {
        static LAST: RefCell<(i128, String)> = const { RefCell::new((i128::MIN, String::new())) };
    }
    const SECOND: i128 = 1_000_000_000;
    let (second, fraction) = (unix_nanos.div_euclid(SECOND), unix_nanos.rem_euclid(SECOND));
    LAST.with_borrow_mut(|(last, text)| {
        if *last != second {
            let time = Timestamp::from_nanosecond(second * SECOND).unwrap_or_default();
            *text = time.strftime("%Y-%m-%dT%H:%M:%S").to_string();
            *last = second;
        }
        out.extend_from_slice(text.as_bytes());
    });
    push_fraction(out, u64::try_from(fraction / 1_000_000).unwrap_or_default());
    out.push(b'Z');
}

/// Appends milliseconds to the microsecond.
fn push_millis(out: &mut Vec<u8>, duration: Duration) {
    let micros = u64::try_from((duration.as_nanos() + 500) / 1000).unwrap_or(u64::MAX);
    push_number(out, micros / 1000);
    push_fraction(out, micros % 1000);
}

/// Appends a point and three digits.
fn push_fraction(out: &mut Vec<u8>, thousandths: u64) {
    let zeros: &[u8] = match thousandths {
        0..10 => b".00",
        10..100 => b".0",
        _ => b".",
    };
    out.extend_from_slice(zeros);
    push_number(out, thousandths);
}

fn push_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn push_address(out: &mut Vec<u8>, address: Option<(IpAddr, Option<u16>)>) {
    let Some((ip, port)) = address else { return out.extend_from_slice(b"null") };
    out.push(b'"');
    let is_bracketed = ip.is_ipv6() && port.is_some();
    if is_bracketed {
        out.push(b'[');
    }
    // Writing to a `Vec` cannot fail.
    drop(write_ip(out, ip));
    if is_bracketed {
        out.push(b']');
    }
    if let Some(port) = port {
        out.push(b':');
        push_number(out, port.into());
    }
    out.push(b'"');
}

fn push_optional(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => push_string(out, text),
        None => out.extend_from_slice(b"null"),
    }
}

fn push_string(out: &mut Vec<u8>, text: &str) {
    // Writing to a `Vec` cannot fail, and every string is valid JSON.
    drop(serde_json::to_writer(out, text));
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    static ROUTE: LazyLock<JsonText> = LazyLock::new(|| JsonText::new("r"));

    fn line(path: &str) -> Line<'_> {
        Line {
            unix_nanos: 1_735_689_600_123_000_000,
            route: Some(&ROUTE),
            method: "GET",
            path,
            status: 200,
            code: None,
            bytes_out: 5,
            duration: Duration::from_micros(1500),
            upstream: Some("127.0.0.1:80".parse().unwrap()),
            upstream_duration: Some(Duration::from_millis(1)),
            attempts: 1,
            client: Some("10.0.0.1".parse().unwrap()),
            trace_id: None,
        }
    }

    #[test]
    fn keeps_its_form() {
        let mut out = Vec::new();
        line("/a\"b\n").write_to(&mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"time\":\"2025-01-01T00:00:00.123Z\",\"route\":\"r\",\"method\":\"GET\",\
             \"path\":\"/a\\\"b\\n\",\"status\":200,\"code\":null,\"bytes_out\":5,\
             \"duration_ms\":1.500,\"upstream\":\"127.0.0.1:80\",\"upstream_ms\":1.000,\
             \"attempts\":1,\"client\":\"10.0.0.1\",\"trace_id\":null}\n"
        );
    }

    #[test]
    fn writes_numbers_as_the_standard_library_does() {
        let text = |push: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            push(&mut out);
            String::from_utf8(out).unwrap()
        };
        for number in [0, 7, 10, 999, 1000, 65_535, u64::MAX] {
            assert_eq!(text(&|out| push_number(out, number)), number.to_string());
        }
        for (nanos, expected) in [
            (0, "0.000"),
            (499, "0.000"),
            (1_500, "0.002"),
            (12_345_678, "12.346"),
            (999_999_999, "1000.000"),
            (60_004_000_000, "60004.000"),
        ] {
            assert_eq!(text(&|out| push_millis(out, Duration::from_nanos(nanos))), expected);
        }
        for (nanos, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_735_689_600_009_999_999, "2025-01-01T00:00:00.009Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(text(&|out| push_time(out, nanos)), expected);
        }
        for address in ["10.0.0.255:80", "[2001:db8::1]:65535"] {
            let parsed: SocketAddr = address.parse().unwrap();
            let quoted = format!("\"{address}\"");
            assert_eq!(
                text(&|out| push_address(out, Some((parsed.ip(), Some(parsed.port()))))),
                quoted
            );
        }
        let ip: IpAddr = "::1".parse().unwrap();
        assert_eq!(text(&|out| push_address(out, Some((ip, None)))), "\"::1\"");
        assert_eq!(text(&|out| push_address(out, None)), "null");
    }

    #[test]
    fn writes_every_line_before_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let log = AccessLog::start(&config::AccessLog::File(path.clone()), 2).unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| log.log(&line("/"))));
            }
        });
        drop(log);
        assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), 4000);
    }
}
