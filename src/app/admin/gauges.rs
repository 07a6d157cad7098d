//! What exists as a state, for metrics: listeners, backends, zones, caches, memory. Read when somebody asks.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::app::control::message::{Status, Zone};

/// The state of one moment.
#[derive(Debug)]
pub(super) struct Gauges(Status);

/// Label and value of one row.
type Label<'a> = Option<(&'static str, &'a str)>;

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
            [(None, status.started)],
        )?;
        out.gauge(
            "build_info",
            "The version, as a label",
            [(Some(("version", &*status.version)), 1)],
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
        zones(&mut out, status)?;
        lookups(&mut out, status)?;
        memory(&mut out, status)
    }
}

fn name<'a>(label: &'static str, name: &'a str) -> Label<'a> {
    Some((label, name))
}

/// The zones, and the resolver under the name `resolver`.
fn zones(out: &mut Writer<'_, '_>, status: &Status) -> std::fmt::Result {
    let zones = || status.zones.iter().chain([&status.resolver]);
    let row = |value: fn(&Zone) -> u64| {
        move |zone| -> (Label<'_>, u64) {
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
        [(None, lookups.under_way as u64)],
    )?;
    out.gauge(
        "dns_cache_entries",
        "Answers held in memory",
        [(None, lookups.kept as u64)],
    )?;
    out.counter(
        "dns_cache_hits",
        "Questions answered from memory",
        [(None, lookups.from_cache)],
    )?;
    out.counter(
        "dns_joined",
        "Questions that joined the lookup of another session",
        [(None, lookups.joined)],
    )?;
    out.counter(
        "dns_overloaded",
        "Questions that failed because too many lookups were under way",
        [(None, lookups.overloaded)],
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
        [(None, memory.on_disk.into())],
    )?;
    out.gauge(
        "memory_waiting",
        "Changes not written yet",
        [(None, memory.waiting as u64)],
    )?;
    out.counter(
        "memory_dropped",
        "Changes let fall because too many waited",
        [(None, memory.dropped)],
    )?;
    out.counter(
        "memory_evicted",
        "Things removed because there were too many",
        [(None, memory.evicted)],
    )?;
    out.counter(
        "memory_expired",
        "Things removed because they had expired",
        [(None, memory.expired)],
    )?;
    out.counter(
        "memory_failures",
        "Failures of the disk",
        [(None, memory.failures)],
    )
}

struct Writer<'e, 'd>(&'e mut DescriptorEncoder<'d>);

impl Writer<'_, '_> {
    fn gauge<'a>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Label<'a>, u64)>,
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
        rows: impl IntoIterator<Item = (Label<'a>, u64)>,
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
        rows: impl Iterator<Item = (Label<'a>, M)>,
    ) -> std::fmt::Result {
        let mut rows = rows.peekable();
        let Some((_, first)) = rows.peek() else {
            return Ok(());
        };
        let kind = first.metric_type();
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (label, metric) in rows {
            match label {
                // There is no second one without a label.
                None => return metric.encode(family),
                Some(label) => metric.encode(family.encode_family(&[label])?)?,
            }
        }
        Ok(())
    }
}
