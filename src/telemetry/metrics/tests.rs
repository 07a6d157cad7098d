//! What is counted comes out as it went in, in both formats.

use prometheus_client::encoding::DescriptorEncoder;

use super::*;
use crate::checks::finding::Outcome;
use crate::checks::points::Points;

#[derive(Debug)]
struct Nothing;

impl Collector for Nothing {
    fn encode(&self, _: DescriptorEncoder<'_>) -> fmt::Result {
        Ok(())
    }
}

fn metrics() -> Metrics {
    let metrics = Metrics::default();
    metrics.begun("mx");
    metrics.begun("mx");
    let finding = Finding {
        check: "dnsbl".into(),
        outcome: Outcome::Fail,
        points: Points::new(5),
        reason: "listed".into(),
        evidence: "203.0.113.66 listed by bl.example".to_owned(),
    };
    metrics.ended(&Session {
        listener: "mx",
        ended: "quit",
        verdict: "deny",
        findings: &[finding],
        tls: Some("TLSv1.3"),
        seconds: 6.5,
        bytes_in: 120,
        bytes_out: 340,
    });
    metrics.recipient("mx", "deny");
    metrics.message("mx", "delivered");
    metrics.turned_away("mx", Limit::Rate);
    metrics.login("mx", "rejected");
    metrics
}

#[test]
fn what_happened_is_counted() {
    let text = metrics().text(Format::Text, Box::new(Nothing)).unwrap();
    for line in [
        "# TYPE gatepost_sessions_total counter",
        "gatepost_sessions_total{listener=\"mx\",ended=\"quit\"} 1",
        "gatepost_sessions_open{listener=\"mx\"} 1",
        "gatepost_verdicts_total{listener=\"mx\",verdict=\"deny\"} 1",
        "gatepost_findings_total{check=\"dnsbl\",outcome=\"fail\",reason=\"listed\"} 1",
        "gatepost_recipients_total{listener=\"mx\",outcome=\"deny\"} 1",
        "gatepost_messages_total{listener=\"mx\",outcome=\"delivered\"} 1",
        "gatepost_received_bytes_total{listener=\"mx\"} 120",
        "gatepost_session_duration_seconds_sum{listener=\"mx\"} 6.5",
        "gatepost_logins_total{listener=\"mx\",outcome=\"rejected\"} 1",
        "gatepost_turned_away_total{listener=\"mx\",limit=\"rate\"} 1",
        "gatepost_tls_sessions_total{listener=\"mx\",version=\"TLSv1.3\"} 1",
    ] {
        assert!(
            text.lines().any(|told| told == line),
            "no {line} in\n{text}"
        );
    }
    assert!(
        !text.contains("203.0.113.66") && !text.contains("EOF"),
        "{text}"
    );
}

#[test]
fn open_metrics_has_its_end_and_its_names() {
    let text = metrics()
        .text(Format::OpenMetrics, Box::new(Nothing))
        .unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert!(
        text.contains("# TYPE gatepost_sessions counter\n"),
        "{text}"
    );
}
