//! Token ids as they reach the host, each with the time of its arrival. A time is had by reading a value, and in no other way:
//! MLX is lazy, so a clock that is read first tells when the work was queued, not when it was done.

use anyhow::Result;

use crate::record::FinishReason;

/// The ids of one generation and when they came, by a clock that counts nanoseconds from its start.
#[derive(Debug)]
pub(super) struct Arrivals<T, C> {
    tokens: Vec<T>,
    times_ns: Vec<u64>,
    clock: C,
}

impl<T: Copy, C: Fn() -> u64> Arrivals<T, C> {
    /// None yet, and room for as many as are wanted: nothing is allocated between two tokens.
    pub(super) fn expect(budget: usize, clock: C) -> Self {
        Arrivals { tokens: Vec::with_capacity(budget), times_ns: Vec::with_capacity(budget), clock }
    }

    /// Reads the next id on the host, which waits for the device, and only then the clock.
    ///
    /// # Errors
    /// Those of `read`: what did not come has no time.
    pub(super) fn take(&mut self, read: impl FnOnce() -> Result<T>) -> Result<T> {
        let token = read()?;
        self.times_ns.push((self.clock)());
        self.tokens.push(token);
        Ok(token)
    }

    /// Takes ids that were read on the host together: they have one time.
    pub(super) fn take_all(&mut self, tokens: &[T]) {
        let now = (self.clock)();
        self.times_ns.extend(tokens.iter().map(|_| now));
        self.tokens.extend(tokens);
    }

    /// Ids, times, and why there are no more.
    pub(super) fn end(self, finish: FinishReason) -> (Vec<T>, Vec<u64>, FinishReason) {
        (self.tokens, self.times_ns, finish)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use anyhow::bail;

    use super::*;

    /// Reading takes the device 5 ns, and the clock is asked once a token.
    #[test]
    fn the_clock_is_read_after_the_value_and_once() {
        let (now, asked) = (Cell::new(0), RefCell::new(Vec::new()));
        let device = |id: u32| {
            asked.borrow_mut().push("value");
            now.set(now.get() + 5);
            Ok(id)
        };
        let clock = || {
            asked.borrow_mut().push("clock");
            now.get()
        };
        let mut arrivals = Arrivals::expect(2, clock);
        assert_eq!(arrivals.take(|| device(7)).unwrap(), 7);
        assert_eq!(arrivals.take(|| device(9)).unwrap(), 9);
        assert!(arrivals.take(|| bail!("the device is gone")).is_err());
        assert_eq!(arrivals.end(FinishReason::Length), (vec![7, 9], vec![5, 10], FinishReason::Length));
        assert_eq!(*asked.borrow(), ["value", "clock", "value", "clock"]);
    }
}
