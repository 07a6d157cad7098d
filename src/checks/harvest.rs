//! Harvest: does the client try out recipients? The backend knows who exists; here its refusals are counted, those of this
//! session and those that the client's network was told lately.
//!
//! An allowance comes first, for mistyped addresses and people who have left. A mailing list with many who have left looks
//! alike, but has as many more who have not: a network is a harvester only where most are refused.

use serde::Deserialize;

use crate::checks::examination::Examination;
use crate::checks::finding::Outcome;
use crate::checks::points::Points;
use crate::checks::{Check, Kind, SettingsError, identity, names, settings};
use crate::facts::{Recall, Recalled};

pub(in crate::checks) const KIND: Kind = Kind {
    name: "harvest",
    summary: "does the client try out recipients?",
    sample: SAMPLE,
    build,
};

const SAMPLE: &str = r#"# Recipients of one session that the backend may refuse before each further one brings `points`.
allowance = 5
# Recipients of the client's network (/24, /64) that were refused lately, counted with a half-life of a day, before that
# brings `network_points`; only where more were refused than accepted.
network_allowance = 50
# Points for each refusal beyond the allowance ...
points = 1
# ... up to so many in all.
at_most = 5
# Points for a client of such a network.
network_points = 2
"#;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Harvest {
    allowance: u16,
    network_allowance: u32,
    points: Points,
    network_points: Points,
    at_most: Points,
}

impl Default for Harvest {
    fn default() -> Self {
        Self {
            allowance: 5,
            network_allowance: 50,
            points: Points::new(1),
            network_points: Points::new(2),
            at_most: Points::new(5),
        }
    }
}

fn build(table: serde_json::Value) -> Result<Option<Box<dyn Check>>, SettingsError> {
    let check: Harvest = settings(table)?;
    Ok(Some(Box::new(check)))
}

impl Check for Harvest {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn examine(&self, examination: &mut Examination<'_>) {
        let refused = examination.facts().rejected();
        let beyond = refused.saturating_sub(usize::from(self.allowance));
        if beyond > 0 {
            let points = self.points.times(beyond).min(self.at_most);
            let evidence = format!("has named {refused} recipients that were refused");
            examination.found(Outcome::Fail, points, "session", evidence);
        }
        self.weigh_network(examination);
    }
}

impl Harvest {
    fn weigh_network(&self, examination: &mut Examination<'_>) {
        let Some(client) = names::public_client(examination.facts()) else {
            return;
        };
        let recall = Recall::Harvest(identity::neighbours(client));
        let Some(recalled) = examination.recall(&recall, self.network_points.span()) else {
            return;
        };
        let Recalled::Harvest { refused, accepted } = recalled else {
            return;
        };
        if *refused > self.network_allowance && refused > accepted {
            let evidence = format!(
                "its network has lately named {refused} recipients that were refused, and {accepted} that were not"
            );
            examination.found(Outcome::Fail, self.network_points, "network", evidence);
        }
    }
}
