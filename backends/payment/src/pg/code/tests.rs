use super::*;

/// The catalogue as it is written down, kept apart from the table so that neither repeats a slip of
/// the other: who is asked, what follows, and the codes behind their statuses.
const PUBLISHED: &str = include_str!("published.txt");

/// Operation, treatment, status, code.
fn published_rows() -> Vec<(&'static str, &'static str, u16, &'static str)> {
    let mut rows = Vec::new();
    for line in PUBLISHED.lines() {
        let [operations, treatment, codes] =
            line.split(" | ").collect::<Vec<_>>().try_into().unwrap();
        for operation in operations.split(", ") {
            let mut status = 0;
            for word in codes.split(' ') {
                match word.parse() {
                    Ok(number) => status = number,
                    Err(_) => rows.push((operation, treatment, status, word)),
                }
            }
        }
    }
    rows
}

/// Statuses other than the published one, which must make no difference.
const ANY_STATUS: [u16; 5] = [400, 403, 404, 409, 500];

/// Every code of A.3.
#[test]
fn a_3_every_code_is_treated_as_it_is_written_down() {
    let rows = published_rows();
    assert_eq!(rows.len(), 81);
    for (operation, treatment, status, code) in rows {
        assert_eq!(published(code), Some((StatusCode::from_u16(status).unwrap(), code)));
        for other in ANY_STATUS {
            let other = StatusCode::from_u16(other).unwrap();
            match operation {
                "confirm" => {
                    let expected = match treatment {
                        "definite refusal" => OnConfirm::Refused,
                        "look it up" => OnConfirm::LookUp,
                        "in doubt" => OnConfirm::InDoubt,
                        "configuration error" => OnConfirm::Misconfigured,
                        other => panic!("{other}"),
                    };
                    assert_eq!(on_confirm(other, code), expected, "{code}");
                }
                "cancel" => {
                    let expected = match treatment {
                        "look it up" => OnCancel::LookUp,
                        "refused" => OnCancel::Refused,
                        "retry with the same key" => OnCancel::Retry,
                        "configuration error" => OnCancel::Misconfigured,
                        other => panic!("{other}"),
                    };
                    assert_eq!(on_cancel(other, code), expected, "{code}");
                }
                other => panic!("{other}"),
            }
            assert_eq!(is_misconfigured(code), treatment == "configuration error", "{code}");
        }
    }
}

/// A.3: nothing is in the table that is not written down, and nothing twice for one operation.
#[test]
fn a_3_the_table_knows_nothing_else() {
    let rows = published_rows();
    let mut count = 0;
    for rule in RULES {
        for (status, codes) in rule.codes {
            for code in *codes {
                for (operation, is_told) in
                    [("confirm", rule.confirm.is_some()), ("cancel", rule.cancel.is_some())]
                {
                    if is_told {
                        count += 1;
                        let found = rows.iter().filter(|(asked, _, published, name)| {
                            *asked == operation && published == status && name == code
                        });
                        assert_eq!(found.count(), 1, "{operation} {status} {code}");
                    }
                }
            }
        }
    }
    assert_eq!(count, rows.len());
}

/// A.3: a code nobody knows, and one that is known for the other operation only.
#[test]
fn a_3_an_unknown_code_is_judged_by_its_status_and_never_a_refusal() {
    for code in ["", "NEW_CODE", "reject_card_payment", "REFUND_REJECTED"] {
        for status in [400, 403, 404, 409, 418, 429, 499] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(on_confirm(status, code), OnConfirm::LookUp, "{status} {code}");
        }
        for status in [302, 500, 502, 503, 504, 599] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(on_confirm(status, code), OnConfirm::InDoubt, "{status} {code}");
        }
    }
    for code in ["", "NEW_CODE", "REJECT_CARD_PAYMENT"] {
        assert_eq!(on_cancel(StatusCode::BAD_REQUEST, code), OnCancel::LookUp, "{code}");
        assert_eq!(on_cancel(StatusCode::TOO_MANY_REQUESTS, code), OnCancel::LookUp, "{code}");
        assert_eq!(on_cancel(StatusCode::BAD_GATEWAY, code), OnCancel::Retry, "{code}");
    }
    assert_eq!(published("NEW_CODE"), None);
}
