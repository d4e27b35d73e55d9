//! The payment service and the stand-in, each a process that can die alone.

use serde_json::{Value, json};
use service::testing::{Process, Signer};
use tempfile::TempDir;
use trial::profile::SCALED;
use uuid::Uuid;

use crate::{Bank, Pg, SECRET, TOTAL};

const PAYMENT: &str = env!("CARGO_BIN_EXE_payment");

/// Both, with their stores.
struct Platform {
    bank: Bank,
    pg: Option<Pg>,
    payment: Process,
    signer: Signer,
    address: String,
    _folder: TempDir,
}

impl Platform {
    fn start() -> Self {
        let (bank, signer, folder) = (Bank::new(), Signer::new().unwrap(), TempDir::new().unwrap());
        // It learns where the payment service is once that serves.
        let pg = bank.open(&[]);
        let address = pg.process.address().unwrap();
        drop(pg);
        let store = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
        let (database, broker) = (store("payment.db"), store("broker.db"));
        let url = format!("http://{address}/pg");
        let mut variables = SCALED.to_vec();
        variables.extend([
            ("DATABASE_URL", database.as_str()),
            ("BROKER_URL", broker.as_str()),
            ("GATEWAY_PROOF_KEYS", signer.jwks()),
            ("PG_URL", url.as_str()),
            ("PG_SECRET_KEY", SECRET),
            ("TEST_MODE", "1"),
        ]);
        let payment = Process::serving(PAYMENT, &variables).unwrap();
        let mut platform = Self { bank, pg: None, payment, signer, address, _folder: folder };
        platform.open(&[]);
        platform
    }

    /// Starts the stand-in where it was.
    fn open(&mut self, more: &[(&str, &str)]) {
        let webhooks = format!("{}/v1/webhooks/toss", self.payment.base().unwrap());
        let mut variables = vec![
            ("LISTEN", self.address.as_str()),
            ("WEBHOOK_URL", webhooks.as_str()),
            ("GATEWAY_PROOF_KEYS", self.signer.jwks()),
        ];
        variables.extend(more);
        self.pg = None;
        self.pg = Some(self.bank.open(&variables));
    }

    fn pg(&self) -> &Pg {
        self.pg.as_ref().unwrap()
    }

    fn ask(&self, method: &str, target: &str, body: &str) -> Value {
        let headers = self.signer.service("reservation", method, target, body.as_bytes());
        let answer = self.payment.request(method, target, &headers, body).unwrap();
        answer.json
    }

    /// An order that its client has paid in the window; with its payment key.
    fn order(&self) -> (String, String) {
        let order = Uuid::now_v7().to_string();
        let wish = json!({
            "orderId": order, "orderName": "달빛호텔", "memberId": 42, "totalAmount": TOTAL,
            "currency": "KRW", "metadata": { "checkInDate": "2099-01-01" },
        });
        let created = self.ask("POST", "/v1/payments", &wish.to_string());
        assert_eq!(created["payload"]["status"], "READY", "{created}");
        let key = self.pg().check_out(&order);
        (order, key)
    }

    fn confirm(&self, (order, key): &(String, String)) -> Value {
        let body = json!({ "paymentKey": key, "orderId": order, "amount": TOTAL });
        self.ask("POST", "/v1/payments/confirm", &body.to_string())
    }

    fn wait_for(&self, order: &str, status: &str) {
        let target = format!("/v1/payments/orders/{order}");
        let is_so = || self.ask("GET", &target, "")["payload"]["status"] == status;
        self.payment.wait_until(status, is_so).unwrap();
    }
}

/// money is returned from the console of the payment gateway, which announces it.
#[test]
fn a_26_x_36_the_payment_service_hears_of_it() {
    let platform = Platform::start();
    let order = platform.order();
    let confirmed = platform.confirm(&order);
    assert_eq!(confirmed["payload"]["status"], "DONE", "{confirmed}");
    let body = json!({ "cancelReason": "complaint" });
    platform.pg().post(&format!("/pg/admin/payments/{}/cancel", order.1), &body);
    platform.wait_for(&order.0, "CANCELED");
    assert_eq!(platform.pg().ledger(&order.0), (1, 1, 0));
}

/// the stand-in dies once it has charged; the payment service finds out and charges no more.
#[test]
fn a_08_a_charge_is_found_after_a_kill() {
    let mut platform = Platform::start();
    platform.open(&[("CRASH_AT", "pg.confirm.after_charge")]);
    let order = platform.order();
    let doubtful = platform.confirm(&order);
    assert_eq!(doubtful["payload"]["status"], "IN_PROGRESS", "{doubtful}");
    platform.open(&[]);
    platform.wait_for(&order.0, "DONE");
    assert_eq!(platform.pg().ledger(&order.0), (1, 0, TOTAL));
}
