//! The balance of a soak: what clients heard, what arrived, what gatepost says of itself in records, metrics and log.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::players::{Fate, Played};
use crate::support::exim::Exim;
use crate::support::gatepost::Gatepost;
use crate::support::wait;

/// How much more memory the last look may find than the first one behind the beginning.
const GROWTH: f64 = 1.25;

pub(crate) struct Balance {
    process: u32,
    admin: SocketAddr,
    descriptors: usize,
    /// Anonymous memory in KiB, with the sessions so far.
    memory: Vec<(u64, u64)>,
}

impl Balance {
    pub(crate) fn new(gatepost: &Gatepost, admin: SocketAddr) -> Self {
        let process = gatepost.process();
        Self {
            process,
            admin,
            descriptors: descriptors(process),
            memory: Vec::new(),
        }
    }

    /// Looks at the memory.
    pub(crate) fn sample(&mut self, sessions: u64) {
        let memory = anonymous(self.process);
        println!("after {sessions} sessions: {memory} KiB");
        self.memory.push((sessions, memory));
    }

    /// Draws it.
    pub(crate) fn draw(mut self, gatepost: &Gatepost, exim: &Exim, played: &Played) {
        self.sample(played.sessions);
        let quiet = wait::until(|| {
            let status = gatepost.status();
            (status["sessions"]["open"] == 0).then_some(status)
        });
        let status = quiet.expect("all sessions end");
        let ended = status["sessions"]["ended"].as_u64().unwrap();
        let counted = self.counted();
        let records = wait::until(|| {
            let records = gatepost.records();
            (records.len() as u64 >= ended).then_some(records)
        });
        let records = records.expect("every session has a record");
        let logged = wait::until(|| {
            let log = gatepost.log();
            let lines = log
                .lines()
                .filter(|line| line.contains(" session id="))
                .count();
            (lines as u64 >= ended).then_some(lines as u64)
        });
        let arrived = arrived(exim, played);
        let fates = |fate| {
            played
                .messages
                .values()
                .filter(|other| **other == fate)
                .count()
        };
        println!("clients: {:?}", played.kinds);
        println!(
            "sessions: {} connections, {ended} ended, {} records, {logged:?} log lines, {} in metrics",
            played.sessions,
            records.len(),
            counted.values().sum::<u64>()
        );
        println!("by their end: {counted:?}");
        println!(
            "messages: {} taken, {} refused, {} unknown, {} arrived",
            fates(Fate::Taken),
            fates(Fate::Refused),
            fates(Fate::Unknown),
            arrived.values().sum::<usize>()
        );

        println!("recipients: {:?}", answers(&records));

        let mut wrong = played.wrong.clone();
        for (id, fate) in &played.messages {
            let times = arrived.get(id).copied().unwrap_or_default();
            let right = match fate {
                Fate::Taken => times == 1,
                Fate::Refused => times == 0,
                Fate::Unknown => times <= 1,
            };
            if !right {
                wrong.push(format!("{id}: {fate:?}, arrived {times} times"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(fates(Fate::Taken) > 100, "hardly anything was played");
        // Exim is away for a ninth of the time, and takes a while to start. How many are put off does not tell how long: they are
        // back at once.
        let all = seconds(&records, "");
        let away = seconds(&records, "not available").len();
        println!("seconds without the backend: {away} of {}", all.len());
        assert!(
            away * 3 < all.len(),
            "the backend came back, and not for us"
        );
        assert_eq!(ended, played.sessions, "each connection is a session");
        assert_eq!(counted.values().sum::<u64>(), ended, "metrics");
        assert_eq!(records.len() as u64, ended, "records");
        assert_eq!(logged, Some(ended), "log lines");
        let delivered: u64 = records.iter().map(delivered).sum();
        assert_eq!(status["sessions"]["delivered"].as_u64(), Some(delivered));
        self.is_flat();
        let back =
            wait::until(|| (descriptors(self.process) <= self.descriptors + 2).then_some(()));
        assert!(
            back.is_some(),
            "{} descriptors, {} at the beginning",
            descriptors(self.process),
            self.descriptors
        );
    }

    fn is_flat(&self) {
        // The first look is behind a whole round of trouble.
        let (Some((_, first)), Some((_, last))) = (self.memory.first(), self.memory.last()) else {
            return;
        };
        let growth = *last as f64 / *first as f64;
        println!("memory: {growth:.2} times what it was");
        assert!(
            self.memory.len() < 3 || growth < GROWTH,
            "memory grows: {:?}",
            self.memory
        );
    }

    /// Sessions by the way they ended, as the metrics have them.
    fn counted(&self) -> BTreeMap<String, u64> {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let lines = text
            .lines()
            .filter(|line| line.starts_with("gatepost_sessions_total{"));
        let row = |line: &str| {
            let (labels, count) = line.rsplit_once(' ')?;
            let ended = labels.split("ended=\"").nth(1)?.trim_end_matches("\"}");
            Some((ended.to_owned(), count.parse().ok()?))
        };
        lines.filter_map(row).collect()
    }
}

/// What recipients were answered, by the code and the enhanced one.
fn answers(records: &[serde_json::Value]) -> BTreeMap<String, u64> {
    let mut answers = BTreeMap::new();
    let recipients = records
        .iter()
        .flat_map(|record| record["recipients"].as_array());
    for recipient in recipients.flatten() {
        let reply = &recipient["reply"];
        let enhanced = reply["enhanced"].as_str().unwrap_or_default();
        let answer = format!("{} {enhanced}", reply["code"]);
        *answers.entry(answer).or_default() += 1;
    }
    answers
}

/// The seconds in which a session began that had a recipient answered with these words.
fn seconds(records: &[serde_json::Value], words: &str) -> BTreeSet<String> {
    let has = |record: &&serde_json::Value| {
        let mut recipients = record["recipients"].as_array().into_iter().flatten();
        recipients.any(|one| one["reply"].to_string().contains(words))
    };
    let second = |record: &serde_json::Value| {
        let started = record["started"].as_str().unwrap();
        started.split_once('.').unwrap().0.to_owned()
    };
    records.iter().filter(has).map(second).collect()
}

fn delivered(record: &serde_json::Value) -> u64 {
    let messages = record["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let taken = messages
        .iter()
        .filter(|message| message["reply"]["code"].as_u64() == Some(250));
    taken.count() as u64
}

/// How often each message is in the mailbox, once all that was taken is there.
fn arrived(exim: &Exim, played: &Played) -> BTreeMap<String, usize> {
    let count = || {
        let mut arrived = BTreeMap::new();
        for delivered in exim.delivered_now() {
            let text = delivered.text();
            let id = text.lines().find_map(|line| line.strip_prefix("Subject: "));
            *arrived
                .entry(id.unwrap_or_default().trim().to_owned())
                .or_default() += 1;
        }
        arrived
    };
    let taken = |arrived: &BTreeMap<String, usize>| {
        let taken = played
            .messages
            .iter()
            .filter(|(_, fate)| **fate == Fate::Taken);
        taken.clone().all(|(id, _)| arrived.contains_key(id))
    };
    wait::until(|| Some(count()).filter(taken)).unwrap_or_else(count)
}

fn anonymous(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

fn descriptors(process: u32) -> usize {
    std::fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .count()
}
