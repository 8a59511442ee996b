//! The keys and values of one layer's past, in arrays of fixed capacity that each step writes into.

use mlx_rs::{
    Array, Dtype,
    error::{Exception, Result},
    ops,
};

use crate::model::calls::{positions, write_positions};

/// Positions are allocated in steps of this many, as mlx-lm does.
const STEP: i32 = 256;

/// One layer's cache. Arrays are `[1, kv_heads, capacity, head_dim]`; positions from `offset` on hold nothing.
#[derive(Debug)]
pub struct KvCache {
    keys: Array,
    values: Array,
    offset: i32,
}

impl KvCache {
    /// Room for at least `capacity` positions, so that no step copies the cache to a larger one.
    pub fn new(kv_heads: i32, capacity: i32, head_dim: i32, dtype: Dtype) -> Result<Self> {
        let capacity = (capacity + STEP - 1) / STEP * STEP;
        let zeros = || ops::zeros_dtype(&[1, kv_heads, capacity, head_dim], dtype);
        Ok(KvCache { keys: zeros()?, values: zeros()?, offset: 0 })
    }

    /// Positions written so far.
    pub fn offset(&self) -> i32 {
        self.offset
    }

    /// The arrays behind the cache, which prefill evaluates instead of logits.
    pub fn state(&self) -> [&Array; 2] {
        [&self.keys, &self.values]
    }

    /// Forgets all but the first `n` positions.
    pub fn truncate(&mut self, n: i32) {
        self.offset = self.offset.min(n);
    }

    /// Counts one position more, whose key and value a kernel of ours writes into [`KvCache::state`] itself.
    pub fn advance(&mut self) -> Result<()> {
        if self.offset == self.keys.dim(2) {
            return Err(Exception::custom(format!("the cache holds {} positions, and no more", self.offset)));
        }
        self.offset += 1;
        Ok(())
    }

    /// Appends `[1, kv_heads, n, head_dim]` keys and values.
    pub fn append(&mut self, keys: &Array, values: &Array) -> Result<()> {
        let end = self.offset + keys.dim(2);
        if end > self.keys.dim(2) {
            return Err(Exception::custom(format!("the cache holds {} positions, not {end}", self.keys.dim(2))));
        }
        write_positions(&mut self.keys, keys, self.offset, end)?;
        write_positions(&mut self.values, values, self.offset, end)?;
        self.offset = end;
        Ok(())
    }

    /// Keys and values from position `from` to the last written, without a copy.
    pub fn since(&self, from: i32) -> Result<(Array, Array)> {
        Ok((positions(&self.keys, from, self.offset)?, positions(&self.values, from, self.offset)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_appended_is_read_back_in_order() {
        let mut cache = KvCache::new(1, 3, 2, Dtype::Float32).unwrap();
        let first = Array::from_slice(&[1f32, 2., 3., 4.], &[1, 1, 2, 2]);
        let second = Array::from_slice(&[5f32, 6.], &[1, 1, 1, 2]);
        cache.append(&first, &first).unwrap();
        cache.append(&second, &second).unwrap();
        let (keys, values) = cache.since(0).unwrap();
        let keys = ops::multiply(&keys, Array::from_f32(1.0)).unwrap(); // contiguous, so that it can be read
        assert_eq!(keys.as_slice::<f32>(), [1., 2., 3., 4., 5., 6.]);
        assert_eq!(values.shape(), [1, 1, 3, 2]);
        assert_eq!(cache.since(2).unwrap().0.shape(), [1, 1, 1, 2]);
        assert_eq!(cache.offset(), 3);
        let long = ops::zeros_dtype(&[1, 1, 256, 2], Dtype::Float32).unwrap();
        assert!(cache.append(&long, &long).unwrap_err().to_string().contains("holds 256 positions"));
    }
}
