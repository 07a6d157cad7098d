//! Secondary MX: did the client try the primary first (RFC 5321 §5.1: hosts are tried in the order of their preference)?
//!
//! Only for two listeners of one gatepost, one standing in the DNS as the primary and one as the secondary MX: both are up or
//! down together, so that whoever comes to the second without having been at the first did not want to.

use serde::Deserialize;

use crate::checks::examination::Examination;
use crate::checks::finding::Outcome;
use crate::checks::points::Points;
use crate::checks::{Check, Kind, SettingsError, identity, names, settings};
use crate::facts::{Recall, Recalled};

pub(in crate::checks) const KIND: Kind = Kind {
    name: "secondary_mx",
    summary: "did the client try the primary first?",
    sample: SAMPLE,
    build,
};

const SAMPLE: &str = r#"# For the policy of a listener that is the secondary MX: the names of the listeners that are the primary, such as ["mx"].
# Empty: this is no secondary.
primary = []
# Points for whoever was at none of them within the last hour, from the same /24 or /64.
points = 3
"#;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SecondaryMx {
    primary: Vec<Box<str>>,
    points: Points,
}

impl Default for SecondaryMx {
    fn default() -> Self {
        Self {
            primary: Vec::new(),
            points: Points::new(3),
        }
    }
}

fn build(table: serde_json::Value) -> Result<Option<Box<dyn Check>>, SettingsError> {
    let check: SecondaryMx = settings(table)?;
    if check.primary.is_empty() {
        return Ok(None);
    }
    Ok(Some(Box::new(check)))
}

impl Check for SecondaryMx {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn listeners(&self) -> &[Box<str>] {
        &self.primary
    }

    fn examine(&self, examination: &mut Examination<'_>) {
        let Some(client) = names::public_client(examination.facts()) else {
            return;
        };
        let network = identity::neighbours(client);
        let mut could_bring = self.points.span();
        let mut open = false;
        let mut unknown = false;
        for listener in &self.primary {
            let listener = listener.clone();
            match examination.recall(&Recall::Tried { network, listener }, could_bring.clone()) {
                Some(Recalled::Tried { .. }) => {
                    let evidence = "has tried the primary";
                    return examination.found(Outcome::Pass, Points::ZERO, "tried", evidence);
                }
                Some(Recalled::Nothing) => {}
                Some(_) => unknown = true,
                None => {
                    // Together they bring the points once.
                    could_bring = Points::ZERO.span();
                    open = true;
                }
            }
        }
        match (open, unknown) {
            (true, _) => {}
            (false, true) => {
                let evidence = "there is no memory of who was at the primary";
                examination.found(Outcome::Unknown, Points::ZERO, "no_memory", evidence);
            }
            (false, false) => {
                let evidence = "came to the secondary mail server without having tried the primary";
                examination.found(Outcome::Fail, self.points, "not_tried", evidence);
            }
        }
    }
}
