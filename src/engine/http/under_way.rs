//! Requests under way, so that all of them can be given up at once: one thread looks whether they are, however many they are.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use ureq::Agent;

/// How often it is looked whether requests are to be given up.
const TICK: Duration = Duration::from_millis(20);

/// Those that have begun and not ended.
#[derive(Debug, Default)]
pub struct UnderWay {
    agents: Mutex<(u64, BTreeMap<u64, Agent>)>,
}

impl UnderWay {
    /// Does `work`, during which `agent` can be shut down.
    pub(super) fn with<T>(&self, agent: &Agent, work: impl FnOnce() -> T) -> T {
        let place = {
            let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
            agents.0 += 1;
            let place = agents.0;
            agents.1.insert(place, agent.clone());
            place
        };
        let done = work();
        self.agents.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&place);
        done
    }

    fn give_up(&self) {
        for agent in self.agents.lock().unwrap_or_else(PoisonError::into_inner).1.values() {
            agent.clone().shutdown();
        }
    }
}

/// Does `work`, whose requests are given up as soon as `stop` is set.
pub fn watched<T>(stop: &AtomicBool, work: impl FnOnce(&UnderWay) -> T) -> T {
    let (under_way, ended) = (UnderWay::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            while !ended.load(Ordering::SeqCst) {
                if stop.load(Ordering::SeqCst) {
                    // Again and again: one may begin just after the others were given up.
                    under_way.give_up();
                }
                thread::park_timeout(TICK);
            }
        });
        let done = work(&under_way);
        ended.store(true, Ordering::SeqCst);
        watch.thread().unpark();
        done
    })
}
