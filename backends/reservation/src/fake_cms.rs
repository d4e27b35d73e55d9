//! A CMS for tests: it says what it is told to, and behaves badly when it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// What a request leads to.
pub(crate) enum Reply {
    /// A status and a JSON body.
    Json(u16, Value),
    /// These bytes, whatever they are, and the end of the connection.
    Bytes(&'static [u8]),
    /// Nothing, while the connection stays open.
    Silence,
}

/// A CMS on a free port; it serves until the tests end.
#[derive(Debug, Clone)]
pub(crate) struct FakeCms {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl FakeCms {
    /// A CMS that gives `reply` of a request's target, such as `/v1/lodgings?size=20`.
    pub(crate) fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let cms = Self { address: listener.local_addr().unwrap(), heads: Arc::default() };
        let (heads, reply) = (Arc::clone(&cms.heads), Arc::new(reply));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (heads, reply) = (Arc::clone(&heads), Arc::clone(&reply));
                thread::spawn(move || converse(stream, &heads, reply.as_ref()));
            }
        });
        cms
    }

    /// What `CMS_URL` has to be.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of the requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// A page with one lodging, as the CMS says it.
pub(crate) fn listed() -> Reply {
    let page = json!({ "size": 20, "nextCursor": "abc-_9", "hasNext": true, "totalCount": 3000 });
    Reply::Json(200, json!({ "timestamp": "", "payload": [lodging()], "page": page }))
}

/// A lodging with one room, as the CMS says it; `new` is what this version does not know.
pub(crate) fn shown() -> Reply {
    let mut lodging = lodging();
    let night = |date, status, price| json!({ "date": date, "status": status, "price": price });
    let room = json!({
        "roomId": 921, "placeId": 93, "roomNo": 1, "roomName": "달빛호텔_킹_1", "bedType": "KING",
        "capacity": 2, "maxCapacity": 4, "available": false, "totalAmount": 220_000,
        "currency": "KRW", "new": true,
        "nights": [night("2025-05-02", "OPEN", 110_000), night("2025-05-03", "NEW", 110_000)]
    });
    let more = json!({
        "latitude": 37.5, "longitude": 127.0, "description": "달빛", "checkInTime": "15:00",
        "checkOutTime": "11:00", "amenities": ["WIFI"], "grade": 4, "status": "OPEN",
        "checkIn": "2025-05-02", "checkOut": "2025-05-04", "rooms": [room]
    });
    lodging.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Reply::Json(200, json!({ "timestamp": "", "payload": lodging }))
}

/// An error of the CMS.
pub(crate) fn refused(status: u16, code: &str) -> Reply {
    Reply::Json(status, json!({ "status": status, "code": code, "detail": "inner words" }))
}

fn lodging() -> Value {
    json!({
        "placeId": 93, "placeTypeCode": "HOTEL_RESORT", "placeTypeName": "호텔/리조트",
        "placeName": "달빛호텔", "areaCode": 0, "areaName": "서울", "address": "서울 중구 1",
        "startPrice": 68_200, "availabilityRoomCount": 7
    })
}

fn converse(mut stream: TcpStream, heads: &Mutex<Vec<String>>, reply: impl Fn(&str) -> Reply) {
    let mut head = String::new();
    let mut lines = BufReader::new(&stream);
    // An empty line ends it.
    while lines.read_line(&mut head).is_ok_and(|length| length > 2) {}
    // A connection that was made ahead and never used.
    if head.is_empty() {
        return;
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    if lines.read_exact(&mut body).is_err() {
        return;
    }
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    heads.lock().unwrap().push(head);
    let bytes = match reply(&target) {
        Reply::Json(status, body) => answer(status, &body),
        Reply::Bytes(bytes) => bytes.to_vec(),
        Reply::Silence => {
            // Until the caller gives up.
            drop(stream.read(&mut [0]));
            return;
        }
    };
    // A caller that has given up is what some tests are about.
    drop(stream.write_all(&bytes));
}

fn answer(status: u16, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
