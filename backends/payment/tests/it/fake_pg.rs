//! A payment gateway for tests, on a socket of its own: it keeps its ledger and its keys, and does
//! wrong what it is told to do wrong.

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// A call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Confirm,
    Query,
    Cancel,
}

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// Answers with a status and a code, and does nothing.
    Code(u16, &'static str),
    /// Closes the connection and does nothing.
    DropBefore,
    /// Does it and closes the connection.
    DropAfter,
    /// Does it and answers with something else.
    Garbage,
    /// Does it, and answers when it is let go.
    Hold,
}

/// What was paid.
#[derive(Debug, Clone, Default)]
pub(crate) struct Order {
    pub(crate) key: String,
    pub(crate) total: i64,
    pub(crate) status: String,
    pub(crate) balance: i64,
    /// How often money was taken.
    pub(crate) charges: usize,
    pub(crate) cancels: Vec<Value>,
    /// Where the receipt is.
    pub(crate) receipt: Option<String>,
}

/// A call as it came.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    pub(crate) key: Option<String>,
}

/// The payment gateway; it runs as long as the process.
#[derive(Clone)]
pub(crate) struct FakePg {
    address: String,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    orders: BTreeMap<String, Order>,
    answers: BTreeMap<String, (u16, Value)>,
    faults: VecDeque<(Operation, Fault)>,
    calls: Vec<Call>,
    is_let_go: bool,
}

impl FakePg {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let pg = Self { address, state: Arc::default() };
        let own = pg.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = own.clone();
                // A client that is gone wants no answer.
                thread::spawn(move || drop(own.converse(stream)));
            }
        });
        pg
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}/pg", self.address)
    }

    /// The client has authenticated; its key.
    pub(crate) fn check_out(&self, order_id: &str, total: i64) -> String {
        let key = format!("key-of-{order_id}");
        let status = "IN_PROGRESS".to_owned();
        let order = Order { key: key.clone(), total, status, balance: total, ..Order::default() };
        self.change(|state| state.orders.insert(order_id.to_owned(), order));
        key
    }

    /// The next call of this kind goes wrong.
    pub(crate) fn fail(&self, operation: Operation, fault: Fault) {
        self.change(|state| state.faults.push_back((operation, fault)));
    }

    /// Lets go what is held.
    pub(crate) fn let_go(&self) {
        self.change(|state| state.is_let_go = true);
    }

    pub(crate) fn order(&self, order_id: &str) -> Order {
        self.change(|state| state.orders.get(order_id).cloned().unwrap_or_default())
    }

    /// Changes an order, as somebody at the payment gateway would.
    pub(crate) fn edit(&self, order_id: &str, edit: impl FnOnce(&mut Order)) {
        self.change(|state| edit(state.orders.get_mut(order_id).unwrap()));
    }

    /// The calls of one kind so far.
    pub(crate) fn calls(&self, operation: Operation) -> Vec<Call> {
        let of_kind = |call: &&Call| call.operation == operation;
        self.change(|state| state.calls.iter().filter(of_kind).cloned().collect())
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state.0.lock().unwrap());
        self.state.1.notify_all();
        changed
    }

    fn converse(&self, mut stream: TcpStream) -> Result<(), Box<dyn Error>> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let (mut line, mut key, mut length) = (String::new(), None, 0);
        reader.read_line(&mut line)?;
        let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim().split_once(": ") else { break };
            match name.to_lowercase().as_str() {
                "content-length" => length = value.parse()?,
                "idempotency-key" => key = Some(value.to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body = serde_json::from_slice(&body).unwrap_or_default();
        let Some((status, text)) = self.answer(&target, key, &body) else { return Ok(()) };
        let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: ");
        stream.write_all(format!("{head}{}\r\n\r\n{text}", text.len()).as_bytes())?;
        Ok(())
    }

    /// Status and body; nothing when the connection is to be closed.
    fn answer(&self, target: &str, key: Option<String>, body: &Value) -> Option<(u16, String)> {
        let path = target.trim_start_matches("/pg/v1/payments/");
        let operation = match path {
            "confirm" => Operation::Confirm,
            path if path.ends_with("/cancel") => Operation::Cancel,
            _ => Operation::Query,
        };
        let mut state = self.state.0.lock().unwrap();
        state.calls.push(Call { operation, key: key.clone() });
        let at = state.faults.iter().position(|(kind, _)| *kind == operation);
        let fault = at.and_then(|at| state.faults.remove(at)).map(|(_, fault)| fault);
        match fault {
            Some(Fault::DropBefore) => return None,
            Some(Fault::Code(status, code)) => {
                return Some((status, json!({ "code": code, "message": "as told" }).to_string()));
            }
            Some(Fault::DropAfter | Fault::Garbage | Fault::Hold) | None => {}
        }
        let known = key.as_ref().and_then(|key| state.answers.get(key).cloned());
        let (status, answer) = known.unwrap_or_else(|| {
            let done = state.carry_out(operation, path, body);
            if let Some(key) = key {
                state.answers.insert(key, done.clone());
            }
            done
        });
        match fault {
            Some(Fault::DropAfter) => None,
            Some(Fault::Garbage) => Some((200, "<html>".to_owned())),
            Some(Fault::Hold) => {
                let limit = Duration::from_secs(30);
                let wait = self.state.1.wait_timeout_while(state, limit, |state| !state.is_let_go);
                drop(wait.unwrap());
                Some((status, answer.to_string()))
            }
            Some(Fault::Code(..) | Fault::DropBefore) | None => Some((status, answer.to_string())),
        }
    }
}

impl State {
    fn carry_out(&mut self, operation: Operation, path: &str, body: &Value) -> (u16, Value) {
        let path = path.trim_end_matches("/cancel").trim_start_matches("orders/");
        let path = path.replace("%2D", "-");
        let key = body["paymentKey"].as_str().unwrap_or(&path).to_owned();
        let found = self.orders.iter_mut().find(|(id, order)| **id == path || order.key == key);
        let Some((id, order)) = found else { return refusal(404, "NOT_FOUND_PAYMENT") };
        match operation {
            Operation::Confirm if order.status != "IN_PROGRESS" => {
                return refusal(400, "ALREADY_PROCESSED_PAYMENT");
            }
            Operation::Confirm => {
                order.status = "DONE".to_owned();
                order.charges += 1;
            }
            Operation::Cancel if order.balance == 0 => {
                return refusal(400, "ALREADY_CANCELED_PAYMENT");
            }
            Operation::Cancel => {
                order.give_back(body["cancelAmount"].as_i64().unwrap_or(order.balance));
            }
            Operation::Query => {}
        }
        (200, order.shown(id))
    }
}

impl Order {
    /// Returns money.
    pub(crate) fn give_back(&mut self, amount: i64) {
        self.balance -= amount;
        let all = if self.balance == 0 { "CANCELED" } else { "PARTIAL_CANCELED" };
        self.status = all.to_owned();
        self.cancels.push(json!({
            "cancelAmount": amount, "cancelReason": "x", "refundableAmount": self.balance,
            "canceledAt": "2026-11-02T09:00:00+09:00", "cancelStatus": "DONE",
            "transactionKey": format!("transaction-{}-{}", self.key, self.cancels.len()),
        }));
    }

    fn shown(&self, id: &str) -> Value {
        json!({
            "version": "2022-11-16", "paymentKey": self.key, "orderId": id, "status": self.status,
            "totalAmount": self.total, "balanceAmount": self.balance, "method": "카드",
            "approvedAt": (self.charges > 0).then_some("2026-11-01T09:00:00+09:00"),
            "lastTransactionKey": "last", "cancels": self.cancels,
            "receipt": self.receipt.as_ref().map(|url| json!({ "url": url })),
            "card": { "issuerCode": "61", "number": "12345678****000*" },
        })
    }
}

fn refusal(status: u16, code: &str) -> (u16, Value) {
    (status, json!({ "code": code, "message": "no" }))
}
