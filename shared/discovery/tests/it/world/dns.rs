//! A name server for whatever zone a test writes (RFC 1035 over UDP), and a record of what it was asked.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{MX, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

#[derive(Clone, Debug)]
pub(crate) struct DnsServer {
    at: SocketAddr,
    zone: Arc<Mutex<Zone>>,
}

#[derive(Debug, Default)]
struct Zone {
    records: BTreeMap<String, Vec<RData>>,
    /// Answers that are given one after the other, the last one for ever.
    in_turn: HashMap<String, VecDeque<IpAddr>>,
    silent: Vec<String>,
    asked: Vec<(String, RecordType)>,
}

impl DnsServer {
    pub(crate) async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            at: socket.local_addr().unwrap(),
            zone: Arc::default(),
        };
        let zone = Arc::clone(&server.zone);
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                let question = Message::from_vec(&buffer[..length]).unwrap();
                let answer = zone.lock().unwrap().answer(&question);
                if let Some(answer) = answer {
                    socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
                }
            }
        });
        server
    }

    pub(crate) fn at(&self) -> SocketAddr {
        self.at
    }

    fn add(&self, name: &str, data: RData) {
        let mut zone = self.zone.lock().unwrap();
        zone.records.entry(name.to_owned()).or_default().push(data);
    }

    pub(crate) fn address(&self, name: &str, address: impl Into<IpAddr>) {
        match address.into() {
            IpAddr::V4(address) => self.add(name, RData::A(address.into())),
            IpAddr::V6(address) => self.add(name, RData::AAAA(address.into())),
        }
    }

    /// The first question gets the first address, the second the second, all others the last.
    pub(crate) fn addresses_in_turn(&self, name: &str, addresses: &[IpAddr]) {
        let mut zone = self.zone.lock().unwrap();
        zone.in_turn
            .insert(name.to_owned(), addresses.iter().copied().collect());
    }

    pub(crate) fn mx(&self, domain: &str, preference: u16, host: &str) {
        self.add(domain, RData::MX(MX::new(preference, absolute(host))));
    }

    /// `service` is such as `_imaps._tcp`; the target `.` says that there is none.
    pub(crate) fn srv(
        &self,
        service: &str,
        domain: &str,
        (priority, weight, port): (u16, u16, u16),
        target: &str,
    ) {
        let data = SRV::new(priority, weight, port, absolute(target));
        self.add(&format!("{service}.{domain}"), RData::SRV(data));
    }

    /// A name that exists and has nothing.
    pub(crate) fn exists(&self, name: &str) {
        self.zone
            .lock()
            .unwrap()
            .records
            .entry(name.to_owned())
            .or_default();
    }

    /// Questions about this name, and all below it, are never answered.
    pub(crate) fn silence(&self, name: &str) {
        self.zone.lock().unwrap().silent.push(name.to_owned());
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<(String, RecordType)> {
        self.zone.lock().unwrap().asked.clone()
    }
}

impl Zone {
    fn answer(&mut self, question: &Message) -> Option<Message> {
        let query = question.queries.first()?.clone();
        let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
        self.asked.push((name.clone(), query.query_type()));
        if self
            .silent
            .iter()
            .any(|silent| name == *silent || name.ends_with(&format!(".{silent}")))
        {
            return None;
        }
        let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
        answer.metadata.recursion_desired = true;
        answer.metadata.recursion_available = true;
        answer.add_query(query.clone());
        let data = self.data(&name, query.query_type());
        if data.is_empty() && !self.is_known(&name) {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        for data in data {
            // For no time, so that nothing is remembered that a test changes.
            answer.add_answer(Record::from_rdata(query.name().clone(), 0, data));
        }
        Some(answer)
    }

    fn data(&mut self, name: &str, kind: RecordType) -> Vec<RData> {
        if let (RecordType::A, Some(turn)) = (kind, self.in_turn.get_mut(name)) {
            let address = if turn.len() > 1 {
                turn.pop_front()
            } else {
                turn.front().copied()
            };
            return match address {
                Some(IpAddr::V4(address)) => vec![RData::A(address.into())],
                _ => Vec::new(),
            };
        }
        let records = self.records.get(name).into_iter().flatten();
        records
            .filter(|data| data.record_type() == kind)
            .cloned()
            .collect()
    }

    /// Whether the name or one below it is there (RFC 8020).
    fn is_known(&self, name: &str) -> bool {
        let below = format!(".{name}");
        self.in_turn.contains_key(name)
            || self
                .records
                .keys()
                .any(|known| known == name || known.ends_with(&below))
    }
}

fn absolute(name: &str) -> Name {
    let name = if name.ends_with('.') {
        name.to_owned()
    } else {
        format!("{name}.")
    };
    Name::from_str(&name).unwrap()
}
