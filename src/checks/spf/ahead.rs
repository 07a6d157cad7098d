//! What is asked before it is known to be needed.
//!
//! Where a term of a record waits for its answer, the terms behind it ask at the same time, so that
//! waiting takes as long as the slowest answer of a record and not as their sum. Only the first
//! question of each, and only where the record itself is known to be needed: what follows from an
//! answer waits for its turn. So no more is asked than RFC 7208 §4.6.4 allows, and for each record
//! of the ten at most as many terms as it has left: whoever publishes records in the hope that we
//! wander through them gains little.

use crate::checks::spf::evaluate::Evaluator;
use crate::checks::spf::macros::DomainSpec;
use crate::checks::spf::record::{Directive, Mechanism};
use crate::facts::RecordType;

impl Evaluator<'_, '_, '_> {
    /// Asks for the terms behind one that waits: the other `directives` and `redirect`.
    pub(super) fn ask_ahead(
        &mut self,
        directives: &[Directive<'_>],
        redirect: Option<DomainSpec<'_>>,
        domain: &str,
    ) {
        for directive in directives {
            let mechanism = &directive.mechanism;
            let goes_on = match self.is_sure(mechanism) {
                Some(matches) => !matches,
                None => self.ask_first(mechanism, domain),
            };
            if !goes_on {
                return;
            }
        }
        if let Some(target) = redirect {
            self.ask_first(&Mechanism::Include(target), domain);
        }
    }

    /// The first question of a term; false when the limit is reached.
    fn ask_first(&mut self, mechanism: &Mechanism<'_>, domain: &str) -> bool {
        let (target, kind) = match mechanism {
            Mechanism::Include(target) => (Some(*target), RecordType::Txt),
            Mechanism::Exists(target) => (Some(*target), RecordType::A),
            Mechanism::A(target, _) => (*target, self.address_type()),
            Mechanism::Mx(target, _) => (*target, RecordType::Mx),
            Mechanism::Ptr(target) => (*target, RecordType::Ptr),
            Mechanism::All | Mechanism::Ip4(_) | Mechanism::Ip6(_) => return true,
        };
        if self.count_lookup(domain).is_err() {
            return false;
        }
        // Whatever comes of it is found when it is the term's turn.
        if kind == RecordType::Ptr {
            let _ = self.names();
        } else if let Ok(Some(name)) = self.target(target, domain) {
            let _ = self.ask(&name, kind);
        }
        true
    }
}
