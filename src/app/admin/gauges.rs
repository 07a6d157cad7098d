//! What exists as a state, for metrics: listeners, backends, zones, caches, memory. Read when somebody asks.

use std::borrow::Cow;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::app::control::message::{Status, Zone};

/// The state of one moment.
#[derive(Debug)]
pub(super) struct Gauges(Status);

/// The labels of one row.
type Labels<'a> = Vec<(&'static str, Cow<'a, str>)>;

impl Gauges {
    pub(super) fn new(status: Status) -> Self {
        Self(status)
    }
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let status = &self.0;
        let mut out = Writer(&mut encoder);
        out.gauge(
            "start_time_seconds",
            "When the process was started, seconds since 1970 UTC",
            [(Vec::new(), status.started)],
        )?;
        out.gauge(
            "build_info",
            "The version, as a label",
            [(name("version", &status.version), 1)],
        )?;
        let backends = || status.backends.iter();
        out.gauge(
            "backend_up",
            "Whether the backend answered when last asked; missing before that",
            backends().filter_map(|one| Some((name("backend", &one.name), one.up?.into()))),
        )?;
        out.gauge(
            "backend_connections",
            "Connections to the backend",
            backends().map(|one| (name("backend", &one.name), one.connections as u64)),
        )?;
        out.gauge(
            "backend_connections_max",
            "The most there may be",
            backends().map(|one| (name("backend", &one.name), one.max_connections as u64)),
        )?;
        servers(&mut out, status)?;
        out.gauge(
            "certificate_expiry_timestamp_seconds",
            "When each certificate in use toward clients ends, seconds since 1970 UTC",
            status.certificates.iter().map(|one| {
                let chain = one.chain.to_string_lossy();
                (vec![("chain", chain)], one.expires)
            }),
        )?;
        zones(&mut out, status)?;
        records(&mut out, status)?;
        lookups(&mut out, status)?;
        doctor(&mut out, status)?;
        memory(&mut out, status)
    }
}

fn name<'a>(label: &'static str, name: &'a str) -> Labels<'a> {
    vec![(label, name.into())]
}

fn servers(out: &mut Writer<'_, '_>, status: &Status) -> std::fmt::Result {
    let servers = status
        .backends
        .iter()
        .flat_map(|backend| backend.servers.iter().map(|server| (&backend.name, server)));
    out.gauge(
        "backend_server_up",
        "Whether each server of the backend answered when last asked; missing before that",
        servers.filter_map(|(backend, server)| {
            let address = Cow::from(server.address.to_string());
            let labels = vec![("backend", Cow::from(backend)), ("server", address)];
            Some((labels, server.up?.into()))
        }),
    )
}

/// Records and log lines, and what was lost of them.
fn records(out: &mut Writer<'_, '_>, status: &Status) -> std::fmt::Result {
    if let Some(journal) = &status.journal {
        out.counter(
            "journal_written",
            "Session records written",
            [(Vec::new(), journal.written)],
        )?;
        out.counter(
            "journal_dropped",
            "Session records let fall because too many waited or they could not be written",
            [(Vec::new(), journal.dropped)],
        )?;
        out.counter(
            "journal_failures",
            "Failed attempts to write session records",
            [(Vec::new(), journal.failures)],
        )?;
    }
    out.counter(
        "log_lost",
        "Log lines lost because the log was read too slowly",
        [(Vec::new(), status.log.lost)],
    )
}

/// The zones, and the resolver under the name `resolver`.
fn zones(out: &mut Writer<'_, '_>, status: &Status) -> std::fmt::Result {
    let zones = || status.zones.iter().chain([&status.resolver]);
    let row = |value: fn(&Zone) -> u64| {
        move |zone| -> (Labels<'_>, u64) {
            let zone: &Zone = zone;
            (name("zone", &zone.name), value(zone))
        }
    };
    out.gauge(
        "zone_up",
        "Whether the zone is asked; 0 while it is suspended. \"resolver\" is all other lookups",
        zones().map(row(|zone| (!zone.suspended).into())),
    )?;
    out.counter(
        "zone_answered",
        "Lookups that the zone answered",
        zones().map(row(|zone| zone.answered)),
    )?;
    out.counter(
        "zone_failed",
        "Lookups that failed",
        zones().map(row(|zone| zone.failed)),
    )?;
    out.counter(
        "zone_trouble",
        "Answers that no list may give",
        zones().map(row(|zone| zone.trouble)),
    )
}

fn lookups(out: &mut Writer<'_, '_>, status: &Status) -> std::fmt::Result {
    let lookups = &status.lookups;
    out.gauge(
        "dns_lookups_open",
        "Lookups under way",
        [(Vec::new(), lookups.under_way as u64)],
    )?;
    out.gauge(
        "dns_cache_entries",
        "Answers held in memory",
        [(Vec::new(), lookups.kept as u64)],
    )?;
    out.counter(
        "dns_cache_hits",
        "Questions answered from memory",
        [(Vec::new(), lookups.from_cache)],
    )?;
    out.counter(
        "dns_joined",
        "Questions that joined the lookup of another session",
        [(Vec::new(), lookups.joined)],
    )?;
    out.counter(
        "dns_overloaded",
        "Questions that failed because too many lookups were under way",
        [(Vec::new(), lookups.overloaded)],
    )
}

fn doctor(out: &mut Writer<'_, '_>, status: &Status) -> std::fmt::Result {
    let domains = || status.doctor.iter();
    let probes = domains().flat_map(|it| it.report.probes.iter().map(move |one| (it, one)));
    out.gauge(
        "doctor_outcome",
        "What a probe of one of our domains found: 0 good, 1 could not tell, 2 notice, 3 warning, 4 fault",
        probes.map(|(it, probed)| {
            let probe = Cow::from(&probed.probe);
            let labels = vec![("probe", probe), ("domain", Cow::from(&it.report.domain))];
            (labels, probed.outcome.weight())
        }),
    )?;
    out.gauge(
        "doctor_timestamp_seconds",
        "When a domain was probed last, seconds since 1970 UTC",
        domains().map(|it| (name("domain", &it.report.domain), it.at)),
    )
}

fn memory(out: &mut Writer<'_, '_>, status: &Status) -> std::fmt::Result {
    let Some(memory) = &status.memory else {
        return Ok(());
    };
    out.gauge(
        "memory_entries",
        "What is remembered, expired things too",
        memory
            .kept
            .iter()
            .map(|(table, count)| (name("table", table), *count)),
    )?;
    out.gauge(
        "memory_on_disk",
        "Whether it outlives the process",
        [(Vec::new(), memory.on_disk.into())],
    )?;
    out.gauge(
        "memory_waiting",
        "Changes not written yet",
        [(Vec::new(), memory.waiting as u64)],
    )?;
    out.counter(
        "memory_dropped",
        "Changes let fall because too many waited",
        [(Vec::new(), memory.dropped)],
    )?;
    out.counter(
        "memory_evicted",
        "Things removed because there were too many",
        [(Vec::new(), memory.evicted)],
    )?;
    out.counter(
        "memory_expired",
        "Things removed because they had expired",
        [(Vec::new(), memory.expired)],
    )?;
    out.counter(
        "memory_failures",
        "Failures of the disk",
        [(Vec::new(), memory.failures)],
    )
}

struct Writer<'e, 'd>(&'e mut DescriptorEncoder<'d>);

impl Writer<'_, '_> {
    fn gauge<'a>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels<'a>, u64)>,
    ) -> std::fmt::Result {
        let rows = rows.into_iter().map(|(label, value)| {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            (label, ConstGauge::new(value))
        });
        self.rows(name, help, rows)
    }

    fn counter<'a>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels<'a>, u64)>,
    ) -> std::fmt::Result {
        let rows = rows
            .into_iter()
            .map(|(label, value)| (label, ConstCounter::new(value)));
        self.rows(name, help, rows)
    }

    fn rows<'a, M: EncodeMetric>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl Iterator<Item = (Labels<'a>, M)>,
    ) -> std::fmt::Result {
        let mut rows = rows.peekable();
        let Some((_, first)) = rows.peek() else {
            return Ok(());
        };
        let kind = first.metric_type();
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, metric) in rows {
            match labels.is_empty() {
                // There is no second one without a label.
                true => return metric.encode(family),
                false => metric.encode(family.encode_family(&labels)?)?,
            }
        }
        Ok(())
    }
}
