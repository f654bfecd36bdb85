//! One discovery: who is asked when.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use futures::{FutureExt, StreamExt};
use postroom_mail::net::{Connector, HostName};
use tokio::time::{Instant, timeout};

use crate::address::MailAddress;
use crate::candidate::Miss;
use crate::discovered::{Discovered, Source};
use crate::error::DiscoveryError;
use crate::outcome::{Outcome, Prover};
use crate::probe::Probes;
use crate::sources::Sources;
use crate::verdict::Verdict;

/// Those who are asked when provider data do not know the domain, best first.
const OTHERS: [Source; 5] = [
    Source::Ispdb,
    Source::Autoconfig,
    Source::Srv,
    Source::Mx,
    Source::Guess,
];

/// What a search works with.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    pub(crate) sources: Sources,
    pub(crate) connector: Connector,
    pub(crate) ehlo_name: HostName,
}

/// Looks for the servers of `address`, in at most `time_limit`.
pub(crate) async fn search(
    tools: &Tools,
    address: &MailAddress,
    time_limit: Duration,
) -> Result<Discovered, DiscoveryError> {
    let catalogue = &*tools.sources.catalogue;
    let domain = address.domain().as_str();
    let owner = catalogue.by_domain(domain);
    // Who owns the domain by the operator's data goes before who owns it by ours.
    if let (None, Some(unsupported)) = (owner, catalogue.unsupported(domain)) {
        return Err(DiscoveryError::Unsupported {
            provider: unsupported.name.clone(),
            reason: unsupported.reason.clone(),
        });
    }
    let begun = Instant::now();
    let mut verdict = Verdict::default();
    // Provider data first and alone: they cost nothing, tell nobody, and are right.
    if owner.is_some_and(|provider| !provider.imap.is_empty()) {
        let prover = tools.prover(address, time_limit * 2 / 5);
        let lookup = tools.sources.look_up(Source::ProviderData, address).await;
        verdict.add(prover.prove(Source::ProviderData, lookup).await);
    }
    if !verdict.knows_imap() {
        let half = time_limit.saturating_sub(begun.elapsed()) / 2;
        ask_others(tools, address, half, &mut verdict).await;
    }
    verdict.conclude(catalogue, address, owner)
}

/// All other sources at the same time, each with `half` for its look-up and `half` for its probes; their answers are
/// taken in the order of their rank.
async fn ask_others(tools: &Tools, address: &MailAddress, half: Duration, verdict: &mut Verdict) {
    let prover = Arc::new(tools.prover(address, half));
    let ask = |source| {
        let prover = Arc::clone(&prover);
        async move {
            let lookup = timeout(half, tools.sources.look_up(source, address))
                .await
                .unwrap_or_else(|_| Err(Miss::temporary("no answer in time")));
            prover.prove(source, lookup).await
        }
        .boxed()
    };
    let mut outcomes: FuturesOrdered<BoxFuture<'_, Outcome>> = OTHERS
        .into_iter()
        // Whose domain it is may be known: then an MX could only mislead (mail.com's leads to GMX).
        .filter(|source| !(*source == Source::Mx && prover.owner.is_some()))
        .map(ask)
        .collect();
    while let Some(outcome) = outcomes.next().await {
        verdict.add(outcome);
        if verdict.is_final() {
            return;
        }
    }
}

impl Tools {
    /// `limit` is the time for one server.
    fn prover(&self, address: &MailAddress, limit: Duration) -> Prover<'_> {
        let catalogue = &*self.sources.catalogue;
        Prover {
            probes: Probes::new(self.connector.clone(), self.ehlo_name.clone(), limit),
            catalogue,
            owner: catalogue.by_domain(address.domain().as_str()),
        }
    }
}
