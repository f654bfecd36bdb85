//! Wake-ups.

use postroom_events::{AccountId, WorkerId};

use super::*;
use crate::Wake;

pub async fn a_wake_up_reaches_its_worker_alone(rig: &impl Rig) {
    let bus = rig.open().await;
    let (worker, neighbour) = (WorkerId::generate(), WorkerId::generate());
    let mut listener = bus.wake_listener(worker);
    let mut other = bus.wake_listener(neighbour);
    let sender = bus.wake_sender();
    let wakes: Vec<_> = (0..3)
        .map(|_| Wake {
            account_id: AccountId::generate(),
        })
        .collect();
    sender.wake(WorkerId::generate(), &wakes).await; // nobody: lost, and nobody minds
    // Lost until the listener has its queue, so say it again, as the rows do.
    let heard = async {
        loop {
            sender.wake(worker, &wakes).await;
            if let Ok(first) = tokio::time::timeout(Duration::from_millis(100), listener.next()).await {
                return first;
            }
        }
    };
    let first = tokio::time::timeout(PATIENCE, heard)
        .await
        .expect("the worker should have been woken");
    assert_eq!(first, wakes[0]);
    assert_eq!([listener.next().await, listener.next().await], wakes[1..]);
    assert!(tokio::time::timeout(QUIET, other.next()).await.is_err());
    drop(listener);
    sender.wake(worker, &wakes).await; // gone by now: no error, no wait
}
