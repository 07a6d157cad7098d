//! The DNS in which the clients of a trace live: records, lists of addresses, and how it answers. Times as in the trace.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::facts::RecordData;

/// The DNS in which the clients live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct World {
    /// Records by name, without the final dot; reverse names, HELO names, sender domains, SPF policies.
    pub records: Vec<(String, RecordData)>,
    /// Lists of addresses (RFC 5782).
    pub lists: Vec<List>,
    /// How long answers take, and how many never come.
    pub latency: Latency,
}

/// A list of addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct List {
    /// Its zone.
    pub zone: String,
    /// What it lists: bad senders, or good ones.
    pub lists: Lists,
    /// The addresses that it lists.
    pub listings: Vec<Listing>,
    /// When it has trouble of its own, and which.
    pub troubles: Vec<(Range<Duration>, Trouble)>,
}

/// What a list lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lists {
    /// Addresses with the trait `listed`; the answers are 127.0.0.2 (hand-picked), .3 (snowshoe), .4 (bots), .10
    /// (dynamic).
    Listed,
    /// Good senders; the answers are 127.0.5.1 to 127.0.5.3.
    Allowed,
}

/// An address on a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    /// The address.
    pub address: IpAddr,
    /// From when on.
    pub from: Duration,
    /// What the list answers, in 127.0.0.0/8.
    pub answer: Ipv4Addr,
}

/// What can be wrong with a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// It does not answer.
    Dead,
    /// It answers this to everything: an error code in 127.255.255.0/24.
    Says(Ipv4Addr),
}

/// How the DNS answers. Real time, not virtual: a waiting session feels it as it is, scaled as its other waits are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The median (log-normal), seconds.
    pub median: f64,
    /// The standard deviation of its natural logarithm.
    pub sigma: f64,
    /// The share of questions that are never answered, 0 to 1.
    pub lost: f64,
}
