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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_shown_hides_the_cases_that_hang_on_it_and_no_others() {
        let hidden = |hidden: Hidden| -> Vec<&str> {
            let cases = Case::ALL.iter().filter(|case| hidden.hides(**case));
            cases.map(|case| case.name()).collect()
        };
        assert_eq!(hidden(Hidden::default()), [""; 0]);
        let secondary = Hidden {
            secondary: true,
            ..Hidden::default()
        };
        assert_eq!(hidden(secondary), ["good_secondary"]);
        let names = Hidden {
            names: true,
            ..Hidden::default()
        };
        assert!(!hidden(names).contains(&"pool_retry") && hidden(names).contains(&"forwarder"));
        let addresses = Hidden {
            addresses: true,
            ..Hidden::default()
        };
        assert_eq!(hidden(addresses).len(), 7);
    }
}
