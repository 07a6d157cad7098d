//! Reloads under load: a configuration that is wrong and is not taken up, one that differs, and the first one again, in turn.

use crate::support::gatepost::{Gatepost, Setup};
use crate::support::wait;

pub(crate) struct Reloads {
    first: Setup,
    other: Setup,
    wrong: Setup,
    taken: usize,
    left: usize,
}

impl Reloads {
    pub(crate) fn new(first: &Setup) -> Self {
        let mut other = first.clone();
        other
            .policy
            .push_str("deny_points = 4.5\ndrop_points = 60\n");
        other.more.push_str(
            "[listen.another]\naddress = [\"127.0.0.6:0\"]\ntls = \"starttls\"\nbackend = \"exim\"\n",
        );
        let mut wrong = other.clone();
        wrong.policy.push_str("greylist_pionts = 3\n");
        Self {
            first: first.clone(),
            other,
            wrong,
            taken: 0,
            left: 0,
        }
    }

    /// One of each, one after the other: each must have been answered before the next is written.
    pub(crate) fn play(&mut self, gatepost: &Gatepost) {
        gatepost.reconfigure(&self.wrong);
        self.left += 1;
        wait_for(gatepost, "greylist_pionts", self.left);
        for setup in [&self.other, &self.first] {
            gatepost.reconfigure(setup);
            self.taken += 1;
            wait_for(gatepost, TAKEN, self.taken);
        }
    }

    /// Says how often, and that what was opened in between is closed.
    pub(crate) fn settle(&self, gatepost: &Gatepost) {
        println!("reloads: {} taken up, {} refused", self.taken, self.left);
        let closed = gatepost.log().matches("no longer listening").count();
        assert_eq!(closed, self.taken / 2, "listeners that went");
    }
}

const TAKEN: &str = "the configuration is taken up";

fn wait_for(gatepost: &Gatepost, what: &str, times: usize) {
    let said = || {
        let log = gatepost.log();
        let lines = log.lines().filter(|line| line.contains(what)).count();
        (lines >= times).then_some(())
    };
    wait::until(said).unwrap_or_else(|| panic!("{what}, {times} times:\n{}", gatepost.log()));
}
