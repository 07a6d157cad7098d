//! What a server could not be shown of a trace's world: what can therefore not be known of it.

use serde::{Deserialize, Serialize};

use crate::measure::trace::Case;

/// What a server did not see. All of it is seen where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hidden {
    /// The clients' own addresses.
    pub addresses: bool,
    /// The world's DNS: names, lists, SPF.
    pub names: bool,
    /// That somebody came to the secondary.
    pub secondary: bool,
}

impl Hidden {
    /// Whether what makes a case special was hidden, so that it says nothing when it arrives.
    #[must_use]
    pub const fn hides(self, case: Case) -> bool {
        match case {
            Case::PoolRetry | Case::ChangingIpv6 => self.addresses,
            Case::BadNames
            | Case::Forwarder
            | Case::ListedToPostmaster
            | Case::PostmasterAmongOthers
            | Case::ListedUser => self.addresses || self.names,
            Case::GoodSecondary => self.secondary,
            _ => false,
        }
    }
}
