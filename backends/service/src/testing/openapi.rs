//! A service's `OpenAPI` document, and whether the service keeps to it.
//!
//! [`validate`] reads the document. [`Contract`] makes requests up from it, good ones, nearly good
//! ones and bad ones, and judges the answers; [`run`] sends them and reports what is not as it is
//! written. A report without findings says something only of the operations that succeeded
//! ([`Report::never_succeeded`] names the others).
//!
//! Not done: cookies, bodies other than JSON, and rules between parameters, which a document
//! cannot tell.

mod check;
mod document;
mod draft;
#[cfg(test)]
mod fixture;
mod hostile;
mod memory;
mod operation;
mod request;
mod run;
mod strict;
mod validate;
mod values;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use proptest::strategy::{BoxedStrategy, Strategy, Union};
use serde_json::Value;

pub use self::check::{Finding, Rule};
pub use self::request::GeneratedRequest;
pub use self::run::{Report, run};
pub use self::validate::validate;
pub use self::wire::over_tcp;

use self::document::Document;
use self::draft::{Draft, drafts};
use self::memory::Memory;
use self::operation::Operation;
use self::values::Values;
use crate::clock::Clock;
use crate::settings::Variables;

/// How often an operation is called unless [`Contract::weight`] says otherwise.
const USUAL_WEIGHT: u32 = 10;
/// Any number does, as long as it stays: a test that fails has to fail again.
const SEED: u64 = 20_261_123;

/// What a service promises in its document.
#[derive(Debug)]
pub struct Contract {
    document: Document,
    operations: Vec<Arc<Operation>>,
    weights: BTreeMap<String, u32>,
    known: Memory,
    is_unavailable_allowed: bool,
    seed: u64,
    today: Date,
}

/// A document that is not fit to be published, with everything that is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("the OpenAPI document needs to be corrected:\n{}", faults.join("\n"))]
pub struct InvalidDocument {
    /// What [`validate`] found.
    pub faults: Vec<String>,
}

impl Contract {
    /// The contract of a document that [`validate`] finds nothing wrong with.
    pub fn new(document: Value) -> Result<Self, InvalidDocument> {
        let faults = validate(&document);
        if !faults.is_empty() {
            return Err(InvalidDocument { faults });
        }
        let document = Document::new(document);
        let operations = operation::read(&document)
            .map_err(|error| InvalidDocument { faults: vec![error.to_string()] })?;
        Ok(Self {
            document,
            operations: operations.into_iter().map(Arc::new).collect(),
            weights: BTreeMap::new(),
            known: Memory::default(),
            is_unavailable_allowed: false,
            seed: seed(),
            today: Clock::system().today(),
        })
    }

    /// Lets the service answer with a documented 503 or 504, where something it needs is away.
    #[must_use]
    pub fn allow_unavailable(self) -> Self {
        Self { is_unavailable_allowed: true, ..self }
    }

    /// Calls an operation more or less often than others, which have 10; 0 leaves it out.
    #[must_use]
    pub fn weight(mut self, operation_id: &str, weight: u32) -> Self {
        self.weights.insert(operation_id.to_owned(), weight);
        self
    }

    /// Tells of a value that exists and that no answer tells, as the parameter or member `name`.
    #[must_use]
    pub fn knows(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.known.keep(name, &value.into());
        self
    }

    /// Makes other requests up, as `CONTRACT_SEED` in the environment does.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The operations that everybody may call, without a proof of who calls.
    pub fn open(&self) -> Vec<&str> {
        let open = self.operations.iter().filter(|operation| operation.security.is_empty());
        let mut open: Vec<_> = open.map(|operation| operation.id.as_str()).collect();
        open.sort_unstable();
        open
    }

    /// Requests to every operation, by their weights, that know of no earlier answers.
    pub fn requests(&self) -> BoxedStrategy<GeneratedRequest> {
        let (operations, known) = (self.operations.clone(), self.known.clone());
        let requests = self.drafts();
        requests.prop_map(move |draft| GeneratedRequest::new(&draft, &operations, &known)).boxed()
    }

    fn drafts(&self) -> BoxedStrategy<Draft> {
        let values = Values { document: &self.document, today: self.today };
        let weighted = self.operations.iter().map(|operation| {
            let weight = self.weights.get(&operation.id).copied().unwrap_or(USUAL_WEIGHT);
            (weight, drafts(values, operation))
        });
        Union::new_weighted(weighted.filter(|(weight, _)| *weight > 0).collect()).boxed()
    }
}

/// `CONTRACT_SEED`, with which other requests can be tried without a change.
fn seed() -> u64 {
    let variables = Variables::of_process();
    variables.get("CONTRACT_SEED").and_then(|text| text.parse().ok()).unwrap_or(SEED)
}
