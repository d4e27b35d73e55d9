//! Logging in as others: how often, and what can be learnt from it.

use std::thread;
use std::time::Duration;

use crate::http::Answer;
use crate::stack::{Account, Options, Stack, Stores, login_body};
use crate::{Own, Shared, wait};

pub(crate) const SHARED: &[Shared] =
    &[("mb_02_a_wrong_password_and_nobody_look_the_same", enumeration)];

pub(crate) const OWN: &[Own] = &[
    ("five_failed_logins_and_the_next_must_wait", throttled),
    ("guesses_at_the_same_time_count_too", throttled_in_parallel),
];

fn guess(stack: &Stack, email: &str) -> Answer {
    stack.ask("POST /login").json(&login_body(email, "a wrong password")).send()
}

/// MB-02
fn enumeration(stack: &Stack) {
    let account = stack.sign_up();
    let timed = |email: &str| {
        let begin = wait::now();
        let answer = guess(stack, email).check_code(401, "LOGIN_FAILED");
        (begin.elapsed(), answer)
    };
    // Both take as long; where the machine is busy with something else, another round tells.
    let mut ratios = Vec::new();
    for _ in 0..3 {
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for pair in 0..100 {
            let nobody = format!("nobody{pair}@example.com");
            // Who comes first alternates: what else runs on the machine may keep time with one.
            let mut ask = [(&account.email, &mut known), (&nobody, &mut unknown)];
            if pair % 2 == 1 {
                ask.reverse();
            }
            let [one, other] = ask.map(|(email, all)| {
                let (took, answer) = timed(email);
                all.push(took);
                answer
            });
            let same = |answer: &Answer| {
                let mut body = answer.json();
                for name in ["timestamp", "traceId"] {
                    body[name] = serde_json::Value::Null;
                }
                body.to_string()
            };
            assert_eq!(same(&one), same(&other));
        }
        ratios.push(median(known).as_secs_f64() / median(unknown).as_secs_f64());
        if (0.8..=1.25).contains(ratios.last().unwrap()) {
            return;
        }
    }
    panic!("known to unknown: {ratios:?}");
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

/// The platform with the limits of `routes.yaml` as they are.
fn start(stores: Stores) -> (Stack, Account) {
    let options = Options { edits: Vec::new(), services: &["member"], ..Options::default() };
    let stack = Stack::with(stores, &options);
    let account = stack.sign_up();
    (stack, account)
}

fn throttled(stores: Stores) {
    let (stack, account) = start(stores);
    let another = stack.sign_up();
    for _ in 0..4 {
        guess(&stack, &account.email).check_code(401, "LOGIN_FAILED");
    }
    // A good login forgets them.
    stack.try_login(&account).check(200);
    for _ in 0..5 {
        guess(&stack, &account.email.to_uppercase()).check_code(401, "LOGIN_FAILED");
    }
    let answer = stack.try_login(&account).check_code(429, "LOGIN_THROTTLED");
    assert!(answer.header("retry-after").is_some());
    stack.try_login(&another).check(200);
    for number in 0..41 {
        guess(&stack, &format!("nobody{number}@example.com")).check_code(401, "LOGIN_FAILED");
    }
    stack.try_login(&another).check_code(429, "LOGIN_THROTTLED");
}

fn throttled_in_parallel(stores: Stores) {
    let (stack, account) = start(stores);
    let answers: Vec<Answer> = thread::scope(|scope| {
        let all: Vec<_> = (0..30).map(|_| scope.spawn(|| guess(&stack, &account.email))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let tried = answers.iter().filter(|answer| answer.status == 401).count();
    assert!((1..=5).contains(&tried), "{tried} guesses reached the member service");
    assert!(answers.iter().all(|answer| matches!(answer.status, 401 | 429)));
}
