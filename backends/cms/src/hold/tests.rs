use proptest::prelude::*;
use service::testing::check_codes;

use super::*;

const SAME: Call = Call::Reserve { is_same: true };
const OTHER: Call = Call::Reserve { is_same: false };
const PAID: Call = Call::Complete { is_amount: true };
const WRONGLY_PAID: Call = Call::Complete { is_amount: false };

/// Every row of the table of states, and every pair that has none.
#[expect(clippy::too_many_lines, reason = "a table")]
#[test]
fn each_call_does_to_each_state_what_the_table_says() {
    use Outcome::{Becomes, Refused, Stays};
    use Refusal::{
        AmountMismatch, ExternalIdConflict, HoldExpired, NotApproved, ReservationCancelled, Unknown,
    };
    use Status::{Approved, Cancelled, Expired, Held, Paid};
    let table = [
        (
            None,
            [
                (SAME, Becomes(Held)),
                (OTHER, Becomes(Held)),
                (Call::Approve, Refused(Unknown)),
                (PAID, Refused(Unknown)),
                (WRONGLY_PAID, Refused(Unknown)),
                (Call::Cancel, Becomes(Cancelled)),
                (Call::Deadline, Stays),
            ],
        ),
        (
            Some(Held),
            [
                (SAME, Stays),
                (OTHER, Refused(ExternalIdConflict)),
                (Call::Approve, Becomes(Approved)),
                (PAID, Refused(NotApproved)),
                (WRONGLY_PAID, Refused(NotApproved)),
                (Call::Cancel, Becomes(Cancelled)),
                (Call::Deadline, Becomes(Expired)),
            ],
        ),
        (
            Some(Approved),
            [
                (SAME, Stays),
                (OTHER, Refused(ExternalIdConflict)),
                (Call::Approve, Stays),
                (PAID, Becomes(Paid)),
                (WRONGLY_PAID, Refused(AmountMismatch)),
                (Call::Cancel, Becomes(Cancelled)),
                (Call::Deadline, Stays),
            ],
        ),
        (
            Some(Paid),
            [
                (SAME, Stays),
                (OTHER, Refused(ExternalIdConflict)),
                (Call::Approve, Stays),
                (PAID, Stays),
                (WRONGLY_PAID, Refused(AmountMismatch)),
                (Call::Cancel, Becomes(Cancelled)),
                (Call::Deadline, Stays),
            ],
        ),
        (
            Some(Cancelled),
            [
                (SAME, Refused(ReservationCancelled)),
                (OTHER, Refused(ReservationCancelled)),
                (Call::Approve, Refused(ReservationCancelled)),
                (PAID, Refused(NotApproved)),
                (WRONGLY_PAID, Refused(NotApproved)),
                (Call::Cancel, Stays),
                (Call::Deadline, Stays),
            ],
        ),
        (
            Some(Expired),
            [
                (SAME, Refused(HoldExpired)),
                (OTHER, Refused(HoldExpired)),
                (Call::Approve, Refused(HoldExpired)),
                (PAID, Refused(NotApproved)),
                (WRONGLY_PAID, Refused(NotApproved)),
                (Call::Cancel, Stays),
                (Call::Deadline, Stays),
            ],
        ),
    ];
    for (known, rows) in table {
        for (call, expected) in rows {
            assert_eq!(decide(known, call), expected, "{known:?} {call:?}");
        }
    }
}

#[test]
fn codes_are_those_of_the_api() {
    check_codes::<Status>();
}

fn any_call() -> impl Strategy<Value = Call> {
    prop::sample::select(vec![
        SAME,
        OTHER,
        Call::Approve,
        PAID,
        WRONGLY_PAID,
        Call::Cancel,
        Call::Deadline,
    ])
}

proptest! {
    /// The nights are claimed exactly as long as the state says so, and what has ended stays so.
    #[test]
    fn nights_follow_the_state(calls in prop::collection::vec(any_call(), 0..40)) {
        let (mut known, mut claimed) = (None, false);
        for call in calls {
            let outcome = decide(known, call);
            if let Outcome::Becomes(to) = outcome {
                match nights(known, to) {
                    Nights::Hold => {
                        prop_assert!(!claimed);
                        claimed = true;
                    }
                    Nights::Free => {
                        prop_assert!(claimed);
                        claimed = false;
                    }
                    Nights::Book => prop_assert!(claimed),
                    Nights::Keep => {}
                }
                prop_assert!(!matches!(known, Some(Status::Cancelled | Status::Expired)));
                known = Some(to);
            }
            let is_active = matches!(known, Some(Status::Held | Status::Approved | Status::Paid));
            prop_assert_eq!(claimed, is_active);
            let again = decide(known, call);
            prop_assert!(!matches!(again, Outcome::Becomes(_)), "{:?} twice", call);
        }
    }
}
