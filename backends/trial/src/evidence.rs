//! What stands in the stores, at the CMS, in the ledger of the payment gateway and in the journal of
//! a client, once everything is quiet: all that the [`checker`](crate::checker) reads.

/// Everything that was found.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// What the reservation service keeps.
    pub reservations: Vec<Reservation>,
    /// What the payment service keeps.
    pub payments: Vec<Payment>,
    /// What the CMS keeps.
    pub bookings: Vec<Booking>,
    /// The nights of the CMS that are held or booked.
    pub nights: Vec<Night>,
    /// What the payment gateway charged and returned.
    pub ledger: Vec<Entry>,
    /// Refunds that an operator settled by hand: order and amount.
    pub settled_by_hand: Vec<(String, i64)>,
    /// What the notification service keeps.
    pub notices: Vec<Notice>,
    /// The notification ids that left through a sink, one for each message.
    pub sent: Vec<String>,
    /// What clients were answered.
    pub journal: Vec<Answer>,
    /// What is still to be done, in words: open steps, unpublished records, dead letters.
    pub unfinished: Vec<String>,
}

/// A reservation.
#[derive(Debug, Clone, Default)]
pub struct Reservation {
    /// Its id, which is also the order at the payment gateway and the external id at the CMS.
    pub id: String,
    /// Its state.
    pub status: String,
    /// What became of the money that has to be returned.
    pub refund_status: String,
    /// What it costs.
    pub total_amount: i64,
}

/// A payment.
#[derive(Debug, Clone, Default)]
pub struct Payment {
    /// The reservation it is for.
    pub order_id: String,
    /// Its state.
    pub status: String,
}

/// A reservation as the CMS knows it.
#[derive(Debug, Clone, Default)]
pub struct Booking {
    /// Our id of it.
    pub external_id: String,
    /// Its state.
    pub status: String,
    /// How many nights it is for.
    pub nights: usize,
}

/// A night of a room that is not free.
#[derive(Debug, Clone, Default)]
pub struct Night {
    /// The room.
    pub room_id: i64,
    /// The date.
    pub date: String,
    /// For which reservation.
    pub external_id: String,
}

/// Money that moved at the payment gateway.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// The reservation it is for.
    pub order_id: String,
    /// Charged if positive, returned if negative.
    pub amount: i64,
}

/// A notification.
#[derive(Debug, Clone, Default)]
pub struct Notice {
    /// Its id.
    pub id: String,
    /// The event that caused it.
    pub source_event_id: String,
    /// How it is worded.
    pub template_code: String,
    /// Which way it goes.
    pub channel: String,
}

/// What a client was answered about a reservation.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The reservation.
    pub reservation_id: String,
    /// What the client had asked for.
    pub asked: Asked,
    /// The status of the answer.
    pub status: u16,
}

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A reservation.
    Reserve,
    /// That the payment be taken.
    Approve,
    /// That the reservation be cancelled.
    Cancel,
}
