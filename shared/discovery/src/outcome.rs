//! What comes of one source: its servers, proved.

use futures::StreamExt;
use futures::stream::FuturesOrdered;
use postroom_events::AuthenticationMethod;
use postroom_mail::net::Endpoint;
use postroom_providers::{Provider, ProviderCatalogue};

use crate::candidate::{Candidate, Lookup, Miss, Protocol};
use crate::discovered::{DiscoveredServer, Source};
use crate::probe::{Probes, Refusal};
use crate::username::Username;

/// How many reasons of one source are told.
const MAX_REASONS: usize = 4;

/// A server that is one.
#[derive(Clone, Debug)]
pub(crate) struct Proved {
    pub(crate) provider: Option<String>,
    endpoint: Endpoint,
    auth: Vec<AuthenticationMethod>,
    username: Username,
}

/// What came of one source.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) source: Source,
    pub(crate) imap: Option<Proved>,
    pub(crate) smtp: Option<Proved>,
    /// The domain says that it has no IMAP (SMTP).
    pub(crate) denies_imap: bool,
    pub(crate) denies_smtp: bool,
    /// What is to be said of it, whether or not it helped.
    pub(crate) miss: Miss,
}

/// Connects to what sources name.
pub(crate) struct Prover<'c> {
    pub(crate) probes: Probes,
    pub(crate) catalogue: &'c ProviderCatalogue,
    /// The provider whose domain it is, where that is known.
    pub(crate) owner: Option<&'c Provider>,
}

impl Prover<'_> {
    /// Connects to the servers that a source named, all at once, and takes the first in its order that is one.
    pub(crate) async fn prove(&self, source: Source, lookup: Lookup) -> Outcome {
        let mut outcome = Outcome {
            source,
            imap: None,
            smtp: None,
            denies_imap: false,
            denies_smtp: false,
            miss: Miss::default(),
        };
        let candidates = match lookup {
            Ok(candidates) => candidates,
            Err(miss) => return Outcome { miss, ..outcome },
        };
        outcome.denies_imap = candidates.denies_imap;
        outcome.denies_smtp = candidates.denies_smtp;
        let named = candidates.provider.as_deref();
        let (imap, smtp) = tokio::join!(
            self.first(Protocol::Imap, &candidates.imap, named),
            self.first(Protocol::Smtp, &candidates.smtp, named),
        );
        let mut refusals = Vec::new();
        outcome.imap = imap.map_err(|refused| refusals.extend(refused)).ok();
        outcome.smtp = smtp.map_err(|refused| refusals.extend(refused)).ok();
        outcome.miss.temporary = refusals.iter().any(|refusal| refusal.temporary);
        outcome.miss.outcome = told(source, candidates.refused, refusals);
        if outcome.miss.outcome.is_empty() && outcome.imap.is_none() {
            "nothing that is a mail server".clone_into(&mut outcome.miss.outcome);
        }
        outcome
    }

    async fn first(
        &self,
        protocol: Protocol,
        candidates: &[Candidate],
        named: Option<&str>,
    ) -> Result<Proved, Vec<Refusal>> {
        let mut probing: FuturesOrdered<_> = candidates
            .iter()
            .map(|candidate| {
                let probe = self.probes.probe(protocol, &candidate.endpoint);
                async move { (candidate, probe.await) }
            })
            .collect();
        let mut refusals = Vec::new();
        while let Some((candidate, probe)) = probing.next().await {
            match probe {
                Ok(ways) => {
                    let provider = self.whose(candidate, protocol);
                    let methods = provider.map_or(&candidate.methods, |provider| &provider.sign_in);
                    return Ok(Proved {
                        provider: named
                            .or(provider.map(|provider| provider.id.as_str()))
                            .map(str::to_owned),
                        endpoint: candidate.endpoint.clone(),
                        auth: ways.join(methods),
                        username: candidate.username.clone(),
                    });
                }
                Err(refusal) => refusals.push(refusal),
            }
        }
        Err(refusals)
    }

    /// The provider behind a server, where provider data know it by its name.
    fn whose(&self, candidate: &Candidate, protocol: Protocol) -> Option<&Provider> {
        let host = candidate.endpoint.host.as_str();
        self.owner.or_else(|| match protocol {
            Protocol::Imap => self.catalogue.by_imap_host(host),
            Protocol::Smtp => self.catalogue.by_smtp_host(host),
        })
    }
}

/// The reasons in one line. That a guessed name does not exist is none.
fn told(source: Source, refused: Vec<String>, refusals: Vec<Refusal>) -> String {
    let told = refusals
        .into_iter()
        .filter(|refusal| source != Source::Guess || !refusal.no_such_name)
        .map(|refusal| refusal.sentence);
    let mut reasons: Vec<String> = Vec::new();
    for reason in refused.into_iter().chain(told) {
        if reasons.len() < MAX_REASONS && !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    reasons.join("; ")
}

impl From<Proved> for DiscoveredServer {
    fn from(proved: Proved) -> Self {
        Self {
            host: proved.endpoint.host,
            port: proved.endpoint.port,
            socket: proved.endpoint.tls,
            auth: proved.auth,
            username: proved.username,
        }
    }
}
