//! Many threads at one circuit breaker: what must be exact is exact.

#![expect(clippy::tests_outside_test_module, reason = "a test program")]
#![expect(clippy::unwrap_used, reason = "a test program")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tollgate_filters::MonotonicClock;
use tollgate_filters::breaker::{
    Breaker, BreakerConfig, Breakers, BulkheadConfig, Event, EventKind, OpenWait, Permit, State,
};

const THREADS: usize = 100;
const TIMES: usize = 20;

fn breaker(config: &BreakerConfig) -> (Arc<Breaker>, Arc<AtomicU64>) {
    #[expect(clippy::disallowed_methods, reason = "where the clock begins does not matter")]
    let origin = Instant::now();
    let clock = Arc::new(AtomicU64::new(0));
    let shared = Arc::clone(&clock);
    let now: MonotonicClock =
        Arc::new(move || origin + Duration::from_millis(shared.load(Ordering::SeqCst)));
    (Breakers::new(now, || 0.5).get("b", config), clock)
}

/// Does the same on all threads at once and gives what came of it.
fn at_once<T: Send>(work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                let (barrier, work) = (&barrier, &work);
                scope.spawn(move || {
                    barrier.wait();
                    work(number)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn transitions(events: &[Event]) -> Vec<(State, State)> {
    let transition = |event: &Event| {
        if let EventKind::StateTransition { from, to } = event.kind {
            Some((from, to))
        } else {
            None
        }
    };
    events.iter().filter_map(transition).collect()
}

#[test]
fn exactly_so_many_calls_try_whether_it_may_close() {
    for _ in 0..TIMES {
        let config = BreakerConfig {
            permitted_number_of_calls_in_half_open_state: 7,
            event_consumer_buffer_size: 1000,
            wait_in_open_state: OpenWait::Fixed(Duration::from_secs(1)),
            ..BreakerConfig::default()
        };
        let (breaker, clock) = breaker(&config);
        breaker.transition_to(State::Open).unwrap();
        clock.store(1001, Ordering::SeqCst);
        let outcomes = at_once(|_| breaker.acquire());
        let permits: Vec<_> = outcomes.into_iter().filter_map(Result::ok).collect();
        assert_eq!(permits.len(), 7);
        let status = breaker.status();
        assert_eq!((status.state, status.not_permitted_calls), (State::HalfOpen, 93));
        drop(permits);
        // What was given back may be taken again, no more.
        let again = at_once(|_| breaker.acquire());
        assert_eq!(again.iter().filter(|outcome| outcome.is_ok()).count(), 7);
        for permit in again.into_iter().flatten() {
            permit.succeed();
        }
        assert_eq!(breaker.state(), State::Closed);
        let expected = [
            (State::Closed, State::Open),
            (State::Open, State::HalfOpen),
            (State::HalfOpen, State::Closed),
        ];
        assert_eq!(transitions(&breaker.events()), expected);
    }
}

#[test]
fn permits_of_before_do_not_become_permits_of_the_half_open_state() {
    for _ in 0..TIMES {
        let config = BreakerConfig {
            permitted_number_of_calls_in_half_open_state: 3,
            ..BreakerConfig::default()
        };
        let (breaker, _) = breaker(&config);
        let old: Vec<_> = at_once(|_| breaker.acquire()).into_iter().map(Result::unwrap).collect();
        breaker.transition_to(State::Open).unwrap();
        breaker.transition_to(State::HalfOpen).unwrap();
        let old = Mutex::new(old);
        let permitted = at_once(|_| {
            drop(old.lock().unwrap().pop());
            breaker.acquire().map(Permit::succeed).is_ok()
        });
        // Three successes close it, and then everybody may.
        assert!(permitted.iter().filter(|permitted| **permitted).count() >= 3);
        let refused = u64::try_from(permitted.iter().filter(|is| !**is).count()).unwrap();
        assert_eq!(breaker.status().not_permitted, refused);
        assert_eq!(breaker.status().successful.count, 100 - refused);
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[test]
fn it_opens_once() {
    for _ in 0..TIMES {
        let config = BreakerConfig {
            minimum_number_of_calls: 50,
            event_consumer_buffer_size: 1000,
            ..BreakerConfig::default()
        };
        let (breaker, _) = breaker(&config);
        let permits = at_once(|_| breaker.acquire().unwrap());
        let permits = Mutex::new(permits);
        at_once(|_| {
            let permit = permits.lock().unwrap().pop().unwrap();
            permit.fail();
        });
        let status = breaker.status();
        assert_eq!((status.state, status.failed.count), (State::Open, 100));
        // Those that ended late are still told in the window that opened it.
        assert_eq!((status.buffered_calls, status.failed_calls), (100, 100));
        assert_eq!(transitions(&breaker.events()), [(State::Closed, State::Open)]);
    }
}

#[test]
fn a_storm_loses_no_call() {
    for _ in 0..TIMES {
        let config = BreakerConfig {
            sliding_window_size: 10,
            minimum_number_of_calls: 10,
            permitted_number_of_calls_in_half_open_state: 5,
            wait_in_open_state: OpenWait::Fixed(Duration::from_millis(1)),
            ..BreakerConfig::default()
        };
        let (breaker, clock) = breaker(&config);
        let ended = at_once(|number| {
            let mut ended = [0_u64; 4];
            for turn in 0..50 {
                clock.fetch_add(1, Ordering::SeqCst);
                match breaker.acquire() {
                    Err(_) => ended[3] += 1,
                    Ok(permit) => match (number + turn) % 4 {
                        0 => {
                            permit.fail();
                            ended[1] += 1;
                        }
                        1 => {
                            permit.ignore();
                            ended[2] += 1;
                        }
                        2 => drop(permit),
                        _ => {
                            permit.succeed();
                            ended[0] += 1;
                        }
                    },
                }
            }
            ended
        });
        let status = breaker.status();
        let sums = [0, 1, 2, 3].map(|at| ended.iter().map(|ended| ended[at]).sum::<u64>());
        let counted = [
            status.successful.count,
            status.failed.count,
            status.ignored.count,
            status.not_permitted,
        ];
        assert_eq!(counted, sums);
    }
}

#[test]
fn a_bulkhead_has_so_many_places() {
    for _ in 0..TIMES {
        #[expect(clippy::disallowed_methods, reason = "the time does not matter")]
        let breakers = Breakers::new(Arc::new(Instant::now), || 0.5);
        let bulkhead = breakers.bulkhead("b", BulkheadConfig { max_concurrent_calls: 25 });
        let places = at_once(|_| bulkhead.try_acquire());
        assert_eq!(places.iter().flatten().count(), 25);
        assert_eq!(bulkhead.available_concurrent_calls(), 0);
        // A reload that narrows it lets those go on that are there.
        drop(breakers.bulkhead("b", BulkheadConfig { max_concurrent_calls: 5 }));
        assert!(bulkhead.try_acquire().is_none());
        drop(places);
        assert_eq!(bulkhead.available_concurrent_calls(), 5);
    }
}
