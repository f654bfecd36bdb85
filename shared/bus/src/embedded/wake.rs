//! Wake-ups within the process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use postroom_events::WorkerId;
use tokio::sync::mpsc;

use crate::{Wake, WakeListener, WakeSender};

/// Beyond that they are dropped: a worker that is so far behind looks at all of its rows anyway.
const MAX_WAITING: usize = 10_000;

/// The workers of this process that listen.
#[derive(Debug, Default)]
pub(crate) struct Workers(Mutex<HashMap<WorkerId, mpsc::Sender<Wake>>>);

impl Workers {
    fn with<R>(&self, act: impl FnOnce(&mut HashMap<WorkerId, mpsc::Sender<Wake>>) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Debug)]
pub(crate) struct EmbeddedWakeSender {
    workers: Arc<Workers>,
}

impl EmbeddedWakeSender {
    pub(crate) fn new(workers: Arc<Workers>) -> Self {
        Self { workers }
    }
}

#[async_trait]
impl WakeSender for EmbeddedWakeSender {
    async fn wake(&self, worker: WorkerId, wakes: &[Wake]) {
        let Some(sender) = self.workers.with(|workers| workers.get(&worker).cloned()) else {
            return;
        };
        for wake in wakes {
            if sender.try_send(*wake).is_err() {
                tracing::debug!(worker.id = %worker, "A wake-up was dropped: the worker is far behind or gone");
            }
        }
    }
}

#[derive(Debug)]
pub(crate) struct EmbeddedWakeListener {
    workers: Arc<Workers>,
    worker: WorkerId,
    wakes: mpsc::Receiver<Wake>,
}

impl EmbeddedWakeListener {
    pub(crate) fn new(workers: Arc<Workers>, worker: WorkerId) -> Self {
        let (sender, wakes) = mpsc::channel(MAX_WAITING);
        workers.with(|workers| workers.insert(worker, sender));
        Self {
            workers,
            worker,
            wakes,
        }
    }
}

#[async_trait]
impl WakeListener for EmbeddedWakeListener {
    async fn next(&mut self) -> Wake {
        match self.wakes.recv().await {
            Some(wake) => wake,
            // Another listener took this worker's place; nothing will ever come here.
            None => std::future::pending().await,
        }
    }
}

impl Drop for EmbeddedWakeListener {
    fn drop(&mut self) {
        let receiver_is_closed = |sender: &mut mpsc::Sender<Wake>| sender.is_closed();
        self.wakes.close();
        self.workers.with(|workers| {
            if workers.get_mut(&self.worker).is_some_and(receiver_is_closed) {
                workers.remove(&self.worker);
            }
        });
    }
}
