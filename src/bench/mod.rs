//! Plan x Engine -> one record at a time: schedule, warm-up, cool-down, worker processes, progress.
//! Knows nothing of statistics.
