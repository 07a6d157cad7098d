//! RCPT: the verdict, then the backend's word or our refusal.

use crate::checks::greylist;
use crate::checks::verdict::Action;
use crate::facts::{Ended, Fact, Rcpt, Stage};
use crate::session::{Session, replies};
use crate::smtp::params::RcptParams;
use crate::smtp::path::ForwardPath;
use crate::smtp::reply::Reply;

impl Session {
    /// The reply to RCPT.
    pub(in crate::session) async fn recipient(
        &mut self,
        path: ForwardPath,
        params: RcptParams,
    ) -> Result<Reply, Ended> {
        if self.envelope.recipients >= self.shared.limits.recipients || self.facts.is_full() {
            return self.surplus().await;
        }
        self.envelope.recipients += 1;
        self.reach(Stage::Rcpt);
        self.forget_the_last();
        self.note(
            Stage::Rcpt,
            Fact::Rcpt(Box::new(Rcpt { path: path.clone() })),
        );
        let verdict = self.settle().await;
        self.envelope.forgettable = !self.decide(&verdict);
        if let Some(memory) = &self.shared.memory {
            let triplets = greylist::has_waited(&verdict, &self.facts);
            triplets
                .iter()
                .for_each(|triplet| memory.has_waited(triplet));
        }
        if verdict.enforced() == Action::Drop {
            let reply = self.sign(verdict.farewell(self.client().ip()));
            self.keep_recipient(&path, &verdict, &reply);
            return Err(self.show_out(reply).await);
        }
        let reply = match verdict.cleared() {
            Some(cleared) => {
                self.envelope.on_sufferance =
                    verdict.is_on_sufferance(self.door.policy.deny_points);
                self.relay_recipient(cleared, &path, &params).await
            }
            None if verdict.enforced() == Action::Greylist => {
                self.sign(verdict.put_off(self.client().ip()))
            }
            None => {
                self.hold_up();
                self.sign(verdict.denial(self.client().ip(), &path))
            }
        };
        self.keep_recipient(&path, &verdict, &reply);
        Ok(reply)
    }

    /// Makes room, if nothing depends on the recipient before this one.
    fn forget_the_last(&mut self) {
        if !std::mem::take(&mut self.envelope.forgettable) {
            return;
        }
        self.memory.give_back(self.facts.forget_rcpt());
        self.asking.forget_counts();
    }

    /// A recipient too many (RFC 5321 §4.5.3.1.10): 452, and the end for who goes on as long again.
    async fn surplus(&mut self) -> Result<Reply, Ended> {
        self.envelope.surplus += 1;
        if self.envelope.surplus <= self.shared.limits.recipients {
            return Ok(self.sign(replies::too_many_recipients()));
        }
        Err(self.give_up().await)
    }
}
