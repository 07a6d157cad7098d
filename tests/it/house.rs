//! The usual cast: an Exim, an rbldnsd, and a gatepost between them and the world.

use crate::support::exim::Exim;
use crate::support::gatepost::{Gatepost, Setup};
use crate::support::rbldnsd::{self, Rbldnsd};

/// All three, running.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) gatepost: Gatepost,
    pub(crate) exim: Exim,
    pub(crate) rbldnsd: Rbldnsd,
}

impl House {
    /// Clients in the list get 5 points and are denied; those in the policy list get 2 and are not.
    pub(crate) fn start() -> Self {
        let exim = Exim::start();
        let rbldnsd = Rbldnsd::start();
        let setup = Setup::new(exim.address(), rbldnsd.address()).zones(&[
            (rbldnsd::ZONE, "127.0.0.[2..11]", 5),
            (rbldnsd::POLICY_ZONE, "127.0.0.[10;11]", 2),
        ]);
        Self {
            gatepost: Gatepost::start(&setup),
            exim,
            rbldnsd,
        }
    }
}
