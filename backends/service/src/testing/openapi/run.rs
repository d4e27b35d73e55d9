//! Sends made-up requests and collects what was found.

use std::collections::BTreeMap;
use std::fmt;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::Contract;
use super::check::{Finding, Rule};
use super::draft::Draft;
use super::memory::Memory;
use super::request::GeneratedRequest;
use crate::testing::Answer;

/// How many smaller requests are tried in search of the smallest that still finds the same.
const MOST_SHRINKS: usize = 500;

/// What a run found.
#[derive(Debug)]
pub struct Report {
    /// What the requests were made from; the same seed and service give the same requests.
    pub seed: u64,
    /// How many requests were sent, those to make a finding smaller aside.
    pub cases: usize,
    /// One for each rule an operation broke, with the smallest request that shows it.
    pub findings: Vec<Finding>,
    /// How often each operation answered with which status.
    pub statuses: BTreeMap<String, BTreeMap<u16, usize>>,
}

impl Report {
    /// The operations that answered with anything but 401.
    pub fn let_in(&self) -> Vec<&str> {
        let served = self.statuses.iter().filter(|(_, counts)| counts.keys().any(|it| *it != 401));
        served.map(|(id, _)| id.as_str()).collect()
    }

    /// The operations that never answered with 2xx: of those little was seen.
    pub fn never_succeeded(&self) -> Vec<&str> {
        let barren = self
            .statuses
            .iter()
            .filter(|(_, counts)| !counts.keys().any(|status| (200..300).contains(status)));
        barren.map(|(id, _)| id.as_str()).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, cases, findings, statuses } = self;
        writeln!(formatter, "{} findings in {cases} requests, seed {seed}", findings.len())?;
        for (id, counts) in statuses {
            writeln!(formatter, "  {id}: {counts:?}")?;
        }
        findings.iter().try_for_each(|finding| writeln!(formatter, "\n{finding}"))
    }
}

/// What one request led to.
struct Trial {
    request: GeneratedRequest,
    answer: Option<Answer>,
    findings: Vec<Finding>,
}

/// Sends `cases` requests made up from the contract and checks every answer.
///
/// `send` may add what proves who calls. What led to 2xx answers, and what they hold, is used in
/// later requests, so that they find what they ask for. The seed is that of the contract.
pub async fn run<E: fmt::Display>(
    contract: &Contract,
    cases: usize,
    send: impl AsyncFn(&GeneratedRequest) -> Result<Answer, E>,
) -> Report {
    let mut runner = runner(contract.seed);
    let drafts = contract.drafts();
    let mut memory = contract.known.clone();
    let statuses =
        contract.operations.iter().map(|operation| (operation.id.clone(), BTreeMap::new()));
    let mut report = Report {
        seed: contract.seed,
        cases: 0,
        findings: Vec::new(),
        statuses: statuses.collect(),
    };
    for _ in 0..cases {
        // A draft is drawn again until it fits, so there is always one.
        let Ok(mut tree) = drafts.new_tree(&mut runner) else { continue };
        let trial = attempt(contract, &tree.current(), &memory, &send).await;
        report.count(&trial);
        for finding in report.news(&trial) {
            let smallest = shrink(contract, &mut tree, &memory, &send, &finding).await;
            report.findings.push(smallest.unwrap_or(finding));
        }
        if let Some(answer) = trial.answer.filter(|answer| answer.status.is_success()) {
            // What was sent too: an answer holds no password to log in with.
            memory.learn(&serde_json::from_slice(trial.request.body()).unwrap_or_default());
            memory.learn(&answer.json);
        }
    }
    report
}

impl Report {
    fn count(&mut self, trial: &Trial) {
        self.cases += 1;
        let counts = self.statuses.entry(trial.request.operation_id().to_owned()).or_default();
        if let Some(answer) = trial.answer.as_ref().filter(|_| trial.request.is_served) {
            *counts.entry(answer.status.as_u16()).or_default() += 1;
        }
    }

    /// What this trial found that was not known yet.
    fn news(&self, trial: &Trial) -> Vec<Finding> {
        let mut news: Vec<Finding> = Vec::new();
        for finding in &trial.findings {
            if !self.findings.iter().chain(&news).any(|known| known.is_like(finding)) {
                news.push(finding.clone());
            }
        }
        news
    }
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    for (byte, seed) in bytes.iter_mut().zip(seed.to_le_bytes()) {
        *byte = seed;
    }
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config = Config { max_local_rejects: u32::MAX, ..Config::default() };
    TestRunner::new_with_rng(config, rng)
}

async fn attempt<E: fmt::Display>(
    contract: &Contract,
    draft: &Draft,
    memory: &Memory,
    send: &impl AsyncFn(&GeneratedRequest) -> Result<Answer, E>,
) -> Trial {
    let request = GeneratedRequest::new(draft, &contract.operations, memory);
    match send(&request).await {
        Ok(answer) => {
            let findings = contract.check(&request, &answer);
            Trial { request, answer: Some(answer), findings }
        }
        Err(error) => {
            let silence = Finding {
                rule: Rule::Silence,
                operation_id: request.operation_id().to_owned(),
                reason: error.to_string(),
                exchange: request.to_string(),
            };
            Trial { request, answer: None, findings: vec![silence] }
        }
    }
}

/// The same finding by the smallest request that shows it; `None` when no smaller one does.
async fn shrink<E: fmt::Display>(
    contract: &Contract,
    tree: &mut impl ValueTree<Value = Draft>,
    memory: &Memory,
    send: &impl AsyncFn(&GeneratedRequest) -> Result<Answer, E>,
    finding: &Finding,
) -> Option<Finding> {
    let mut smallest = None;
    let mut has_other = tree.simplify();
    for _ in 0..MOST_SHRINKS {
        if !has_other {
            break;
        }
        let trial = attempt(contract, &tree.current(), memory, send).await;
        let same = trial.findings.into_iter().find(|found| found.is_like(finding));
        has_other = if same.is_some() { tree.simplify() } else { tree.complicate() };
        smallest = same.or(smallest);
    }
    smallest
}

#[cfg(test)]
mod tests;
