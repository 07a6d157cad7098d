//! Probe `tls`: does an exchanger offer STARTTLS, and does the handshake work?

use futures_util::FutureExt;

use crate::doctor::call::Call;
use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::{Kind, Of, Subject, text};

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "tls",
    summary: "each MX offers STARTTLS, and the handshake works with TLS 1.2 or newer",
    standard: "RFC 3207 §4, RFC 8996, RFC 9325 §3.1",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

const NONE: &str = "RFC 3207: mail travels in the open; senders that want TLS (MTA-STS, DANE, some by policy) do not deliver";
const BROKEN: &str =
    "RFC 3207 §4: TLS is offered and does not work; many senders do not try again without it";

async fn look(subject: &Subject) -> Vec<Finding> {
    subject.of_each_heard(judge).await
}

fn judge(about: &str, call: &Call) -> Finding {
    let fault = |seen: String, advice: &'static str| {
        Finding::new(Outcome::Fault, about, seen, BROKEN, advice)
    };
    let Some(offered) = call.extensions() else {
        return Finding::could_not_tell(about, call.why_not(), "see probe greeting");
    };
    if !offered.starttls {
        let advice = "give it a certificate and let it offer STARTTLS";
        return Finding::new(
            Outcome::Warning,
            about,
            "it offers no STARTTLS",
            NONE,
            advice,
        );
    }
    match (&call.starttls, &call.tls) {
        (_, Some(Ok(seen))) => Finding::good(about, format!("STARTTLS, {}", seen.version)),
        (_, Some(Err(why))) => {
            let advice = "see its log; it must speak TLS 1.2 or newer (RFC 8996)";
            fault(format!("the handshake fails: {why}"), advice)
        }
        (Some(reply), None) if !reply.is_positive() => {
            let seen = format!(
                "it answers STARTTLS with {}",
                text::shown(&reply.to_string())
            );
            fault(
                seen,
                "see its log: certificate and key may be unreadable for it",
            )
        }
        _ => Finding::could_not_tell(about, call.why_not(), "ask again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::certificate::tests::seen;
    use crate::doctor::tests::reply;

    #[test]
    fn what_becomes_of_starttls() {
        let hello = || Some(reply(250, "mx").with_line("STARTTLS"));
        for (call, outcome) in [
            (
                Call {
                    hello: hello(),
                    starttls: Some(reply(220, "go")),
                    tls: Some(Ok(seen())),
                    ..Call::default()
                },
                Outcome::Good,
            ),
            (
                Call {
                    hello: hello(),
                    starttls: Some(reply(220, "go")),
                    tls: Some(Err("it closed".to_owned())),
                    ..Call::default()
                },
                Outcome::Fault,
            ),
            (
                Call {
                    hello: hello(),
                    starttls: Some(reply(454, "no key")),
                    ..Call::default()
                },
                Outcome::Fault,
            ),
            (
                Call {
                    hello: Some(reply(250, "mx")),
                    ..Call::default()
                },
                Outcome::Warning,
            ),
            (Call::default(), Outcome::CouldNotTell),
        ] {
            assert_eq!(judge("mx", &call).outcome, outcome, "{call:?}");
        }
    }
}
