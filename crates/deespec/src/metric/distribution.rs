//! STUB
use serde::{Deserialize, Serialize};
use super::buckets::Buckets;
/// stub
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distribution { buckets: Buckets, counts: Box<[u64]>, steps: i64 }
/// stub
pub struct Bucket;
/// stub
pub struct Quantile;
impl Distribution {
    pub(crate) fn new(buckets: Buckets, counts: Box<[u64]>, steps: i64) -> Self { Self { buckets, counts, steps } }
    /// stub
    pub fn steps(&self) -> i64 { self.steps }
    /// stub
    pub fn counts(&self) -> &[u64] { &self.counts }
    /// stub
    pub fn buckets(&self) -> &Buckets { &self.buckets }
    /// stub
    pub fn count(&self) -> u64 { self.counts.iter().sum() }
    pub(crate) fn plus(&self, _o: &Self) -> Option<Self> { Some(self.clone()) }
}
