//! Rate limits: token buckets, where they are kept, and whose they are (`resilience.md` 1).

mod fields;
mod in_process;
mod key;
mod policy;
mod settings;
mod stores;

pub use in_process::InProcessBuckets;
pub use key::{Key, KeyResolver};
pub use policy::{Bucket, Policy, Taken, WrittenLimit};
pub use settings::{HeaderNames, LimitSettings, key_resolver_named};
pub use stores::{BucketStores, Buckets};

pub(crate) use fields::LimitFields;
pub(crate) use settings::DEFAULT_STORE;
