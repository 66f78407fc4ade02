//! STUB
use serde::{Deserialize, Serialize};
use super::name::MetricError;
/// stub
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Buckets { bounds: Vec<f64> }
impl Buckets {
    /// stub
    pub fn seconds() -> Self { Self { bounds: vec![0.1, 1.0, 10.0] } }
    /// stub
    pub fn native(_: i8, _: f64, _: f64) -> Result<Self, MetricError> { Ok(Self::seconds()) }
    pub(crate) fn len(&self) -> usize { 4 }
    pub(crate) fn index_of(&self, v: f64) -> usize { self.bounds.partition_point(|b| *b < v) }
    pub(crate) fn to_steps(&self, v: f64) -> i64 { (v * 1e9).round() as i64 }
}
impl Default for Buckets { fn default() -> Self { Self::seconds() } }
