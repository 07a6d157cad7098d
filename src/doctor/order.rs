//! Probe `order`: does an exchanger hold its clients to the order of commands?

use futures_util::FutureExt;

use crate::doctor::call::Call;
use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::{Kind, Of, Subject, text};

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "order",
    summary: "RCPT before MAIL is refused",
    standard: "RFC 5321 §4.1.4",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

const WHY: &str = "RFC 5321 §4.1.4: commands have an order; a server that takes them in any is likely to take worse, and bots show \
                   themselves to one that does not";

async fn look(subject: &Subject) -> Vec<Finding> {
    subject.of_each_heard(judge).await
}

fn judge(about: &str, call: &Call) -> Finding {
    let Some(reply) = &call.unordered else {
        return Finding::could_not_tell(about, call.why_not(), "see probe greeting");
    };
    let said = text::shown(&reply.to_string());
    match reply.code {
        500.. => Finding::good(about, format!("RCPT before MAIL: {said}")),
        400..500 => {
            let seen = format!("RCPT before MAIL is put off: {said}");
            Finding::could_not_tell(about, seen, "ask again later")
        }
        _ => {
            let seen = format!("RCPT before MAIL is accepted: {said}");
            let advice = "put a server before it that keeps the order (gatepost does)";
            Finding::new(Outcome::Warning, about, seen, WHY, advice)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::reply;

    #[test]
    fn a_refusal_is_good() {
        for (code, outcome) in [
            (503, Outcome::Good),
            (550, Outcome::Good),
            (451, Outcome::CouldNotTell),
            (250, Outcome::Warning),
        ] {
            let call = Call {
                unordered: Some(reply(code, "said")),
                ..Call::default()
            };
            assert_eq!(judge("mx", &call).outcome, outcome, "{code}");
        }
        assert_eq!(judge("mx", &Call::default()).outcome, Outcome::CouldNotTell);
    }
}
