//! The keys and values of one layer's past, in arrays of fixed capacity that each step writes into.

use mlx_rs::{
    Array, Dtype, Stream,
    error::{Exception, Result},
    ops,
};
use mlx_sys::{mlx_array, mlx_array_new, mlx_slice, mlx_slice_update};

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

    /// Counts one position more, whose key and value a kernel of ours writes into [`KvCache::state`] itself.
    pub fn advance(&mut self) -> Result<()> {
        if self.offset == self.keys.dim(2) {
            return Err(Exception::custom(format!("the cache holds {} positions, and no more", self.offset)));
        }
        self.offset += 1;
        Ok(())
    }

    /// Appends `[1, kv_heads, n, head_dim]` keys and values; returns all of the past, the new ones included.
    pub fn append(&mut self, keys: &Array, values: &Array) -> Result<(Array, Array)> {
        let end = self.offset + keys.dim(2);
        if end > self.keys.dim(2) {
            return Err(Exception::custom(format!("the cache holds {} positions, not {end}", self.keys.dim(2))));
        }
        write(&mut self.keys, keys, self.offset, end)?;
        write(&mut self.values, values, self.offset, end)?;
        self.offset = end;
        Ok((read(&self.keys, end)?, read(&self.values, end)?))
    }
}

/// Writes positions `from..to`. The old handle goes before the new one is evaluated, so MLX writes in place.
/// (`mlx_slice_update` itself, since mlx-rs' indexing adds nodes for broadcasting.)
fn write(into: &mut Array, update: &Array, from: i32, to: i32) -> Result<()> {
    let shape = into.shape();
    let (start, stop) = ([0, 0, from, 0], [shape[0], shape[1], to, shape[3]]);
    let stream = Stream::thread_local_or_default();
    *into = operation(|result| {
        // SAFETY: four dimensions everywhere; the handles live through the call.
        unsafe {
            mlx_slice_update(
                result,
                into.as_ptr(),
                update.as_ptr(),
                start.as_ptr(),
                4,
                stop.as_ptr(),
                4,
                [1; 4].as_ptr(),
                4,
                stream.as_ptr(),
            )
        }
    })?;
    Ok(())
}

/// Positions `0..to`, without a copy.
fn read(from: &Array, to: i32) -> Result<Array> {
    let shape = from.shape();
    let stop = [shape[0], shape[1], to, shape[3]];
    let stream = Stream::thread_local_or_default();
    operation(|result| {
        // SAFETY: as in `write`.
        unsafe {
            mlx_slice(result, from.as_ptr(), [0; 4].as_ptr(), 4, stop.as_ptr(), 4, [1; 4].as_ptr(), 4, stream.as_ptr())
        }
    })
}

/// What mlx-rs does around each call into mlx-c.
fn operation(call: impl FnOnce(*mut mlx_array) -> i32) -> Result<Array> {
    // SAFETY: an empty handle, which the call fills; it becomes an `Array` only on success.
    unsafe {
        let mut result = mlx_array_new();
        match call(&mut result) {
            0 => Ok(Array::from_ptr(result)),
            _ => Err(Exception::custom("MLX could not slice the key-value cache")),
        }
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
        let (keys, values) = cache.append(&second, &second).unwrap();
        let keys = ops::multiply(&keys, Array::from_f32(1.0)).unwrap(); // contiguous, so that it can be read
        assert_eq!(keys.as_slice::<f32>(), [1., 2., 3., 4., 5., 6.]);
        assert_eq!(values.shape(), [1, 1, 3, 2]);
        assert_eq!(cache.offset(), 3);
        let long = ops::zeros_dtype(&[1, 1, 256, 2], Dtype::Float32).unwrap();
        assert!(cache.append(&long, &long).unwrap_err().to_string().contains("holds 256 positions"));
    }
}
