//! The payment gateway as the cashier asks it: every answer is what the machine knows.

mod view;

use payment::machine::{CancelAnswer, ConfirmAnswer, Seen};
use payment::pg::{
    Cancel, CancelOutcome, Confirm, ConfirmOutcome, PaymentGateway, PgFailure, PgPayment,
    QueryOutcome, Refusal as Refused, Trouble,
};
use uuid::Uuid;

pub(crate) use self::view::View;
use crate::store::{PaymentRow, RefundRow};

/// Codes after which the same may be sent again at once.
const TRANSIENT: &[&str] = &["PROVIDER_ERROR", "IDEMPOTENT_REQUEST_PROCESSING"];

/// The payment gateway; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Gateway(PaymentGateway);

/// What is asked about.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) payment_id: String,
    pub(crate) id: String,
    pub(crate) total: i64,
}

/// What the payment gateway said.
#[derive(Debug)]
pub(crate) struct Told<A> {
    /// As the machine knows it.
    pub(crate) answer: A,
    /// The payment, where it was told.
    pub(crate) view: Option<View>,
    /// Why it refused.
    pub(crate) refusal: Option<Refusal>,
    /// Whether the same may be sent again at once.
    pub(crate) is_transient: bool,
    /// Whether it does not know the merchant.
    pub(crate) is_misconfigured: bool,
}

/// Why the payment gateway refused.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Gateway {
    pub(crate) fn new(gateway: PaymentGateway) -> Self {
        Self(gateway)
    }

    /// Takes the money, at most once for a payment.
    pub(crate) async fn confirm(&self, order: &Order, payment_key: &str) -> Told<ConfirmAnswer> {
        let confirm = Confirm { payment_key, order_id: &order.id, amount: order.total };
        match self.0.confirm(&format!("confirm:{}", order.payment_id), confirm).await {
            ConfirmOutcome::Confirmed(payment) => Told::paid(ConfirmAnswer::Done, *payment),
            ConfirmOutcome::Refused(refused) => Told::refused(ConfirmAnswer::Refused, refused),
            ConfirmOutcome::LookUp(trouble) => Told::troubled(ConfirmAnswer::LookUp, trouble),
            ConfirmOutcome::InDoubt(trouble) => Told::troubled(ConfirmAnswer::Unknown, trouble),
            ConfirmOutcome::Misconfigured(refused) => {
                Told::misconfigured(ConfirmAnswer::Misconfigured, refused)
            }
        }
    }

    /// Asks what became of an order.
    pub(crate) async fn query(&self, order: &Order) -> Told<Seen> {
        match self.0.by_order(&order.id).await {
            QueryOutcome::Found(payment) if !is_of(&payment, order) => Told::lost(Seen::NoAnswer),
            QueryOutcome::Found(payment) => {
                let view = View::new(*payment);
                Told { view: Some(view.clone()), ..Told::lost(view.seen) }
            }
            QueryOutcome::NotFound(_) => Told::lost(Seen::Open),
            QueryOutcome::NoAnswer(trouble) => Told::troubled(Seen::NoAnswer, trouble),
            QueryOutcome::Misconfigured(refused) => Told::misconfigured(Seen::NoAnswer, refused),
        }
    }

    /// Returns money, at most once for a refund and its number.
    pub(crate) async fn cancel(
        &self,
        payment: &PaymentRow,
        refund: &RefundRow,
    ) -> Told<CancelAnswer> {
        let cancel = Cancel {
            payment_key: payment.payment_key.as_deref().unwrap_or_default(),
            reason: &refund.reason,
            amount: Some(refund.amount).filter(|amount| *amount < payment.total_amount),
        };
        let order = Order {
            payment_id: payment.payment_id.clone(),
            id: payment.order_id.clone(),
            total: payment.total_amount,
        };
        match self.0.cancel(&format!("cancel:{}:{}", refund.refund_id, refund.n), cancel).await {
            CancelOutcome::Cancelled(payment) if !is_of(&payment, &order) => {
                Told::lost(CancelAnswer::Unknown)
            }
            CancelOutcome::Cancelled(payment) => {
                Told::paid(CancelAnswer::Returned { balance: payment.balance_amount }, *payment)
            }
            // Either counts only after a query.
            CancelOutcome::Refused(refused) | CancelOutcome::LookUp(refused) => {
                Told::refused(CancelAnswer::Refused, refused)
            }
            CancelOutcome::Retry(trouble) => Told::troubled(CancelAnswer::Unknown, trouble),
            CancelOutcome::Misconfigured(refused) => {
                Told::misconfigured(CancelAnswer::Misconfigured, refused)
            }
        }
    }

    /// Returns money as somebody else would do it, without a refund of ours.
    pub(crate) async fn cancel_outside(
        &self,
        payment_key: &str,
        reason: &str,
        amount: Option<i64>,
    ) -> Result<(), Option<Refusal>> {
        let cancel = Cancel { payment_key, reason, amount };
        match self.0.cancel(&format!("outside:{}", Uuid::new_v4()), cancel).await {
            CancelOutcome::Cancelled(_) => Ok(()),
            CancelOutcome::Refused(refused)
            | CancelOutcome::LookUp(refused)
            | CancelOutcome::Misconfigured(refused)
            | CancelOutcome::Retry(Trouble::Told(refused)) => Err(Some(refused.into())),
            CancelOutcome::Retry(
                Trouble::TimedOut | Trouble::Lost(_) | Trouble::Garbled | Trouble::Unexpected(_),
            ) => Err(None),
        }
    }
}

/// Whether it is the payment that was asked about.
fn is_of(payment: &PgPayment, order: &Order) -> bool {
    let is_of = payment.order_id == order.id && payment.total_amount == order.total;
    if !is_of {
        tracing::error!(
            order = order.id,
            told = payment.order_id,
            total = payment.total_amount,
            "the payment gateway tells of another order or amount"
        );
    }
    is_of
}

impl From<Refused> for Refusal {
    fn from(Refused { code, message, .. }: Refused) -> Self {
        let is_told = !message.is_empty();
        let none = "the payment gateway gave no reason";
        Self { code, message: if is_told { message } else { none.to_owned() } }
    }
}

impl From<PgFailure> for Refusal {
    fn from(PgFailure { code, message }: PgFailure) -> Self {
        Self { code, message }
    }
}

impl<A> Told<A> {
    fn lost(answer: A) -> Self {
        Self { answer, view: None, refusal: None, is_transient: false, is_misconfigured: false }
    }

    fn paid(answer: A, payment: PgPayment) -> Self {
        Self { view: Some(View::new(payment)), ..Self::lost(answer) }
    }

    fn refused(answer: A, refused: Refused) -> Self {
        Self {
            is_transient: TRANSIENT.contains(&refused.code.as_str()),
            refusal: Some(refused.into()),
            ..Self::lost(answer)
        }
    }

    fn misconfigured(answer: A, refused: Refused) -> Self {
        Self { is_misconfigured: true, ..Self::refused(answer, refused) }
    }

    fn troubled(answer: A, trouble: Trouble) -> Self {
        match trouble {
            Trouble::Told(refused) => Self::refused(answer, refused),
            Trouble::TimedOut | Trouble::Lost(_) | Trouble::Garbled | Trouble::Unexpected(_) => {
                Self::lost(answer)
            }
        }
    }
}
