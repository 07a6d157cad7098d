//! How clients speak: the dialect of the software, whether it waits, whether it says goodbye.

use std::time::Duration;

use super::draw::Draw;
use super::senders::{Sender, SenderDomain};
use super::software::Software;
use super::{Kind, Maker};
use crate::measure::trace::{
    Act, Class, Dialect, Errand, Grouping, Parting, Speech, Starttls, Try, Verbs,
};

/// How the software writes and waits, and how it ends.
pub(super) fn dialect(software: Software, draw: &mut Draw) -> (Dialect, Parting) {
    let (verbs, spaced, grouping, parting) = match software {
        Software::Gmail | Software::Exim | Software::Service => {
            (Verbs::Upper, false, Grouping::Offered, Parting::Quit)
        }
        Software::Postfix | Software::Exchange => {
            (Verbs::Upper, false, Grouping::Offered, Parting::QuitUnheard)
        }
        Software::Sendmail => (Verbs::Mixed, false, Grouping::Offered, Parting::Quit),
        Software::Qmail => (
            Verbs::Upper,
            false,
            Grouping::Lockstep,
            Parting::QuitUnheard,
        ),
        Software::Script => (Verbs::Lower, false, Grouping::Lockstep, Parting::Quit),
        Software::DotNet | Software::Java => {
            (Verbs::Upper, false, Grouping::Lockstep, Parting::Quit)
        }
        Software::Hosting => (Verbs::Upper, false, Grouping::Parting, Parting::Quit),
        Software::User => (
            Verbs::Upper,
            draw.chance(50.0),
            Grouping::Lockstep,
            Parting::Quit,
        ),
        Software::Bot => {
            let verbs = if draw.chance(10.0) {
                Verbs::Mixed
            } else {
                Verbs::Upper
            };
            (verbs, draw.chance(40.0), Grouping::Lockstep, Parting::Quit)
        }
        Software::Engine => (
            Verbs::Upper,
            draw.chance(50.0),
            Grouping::Offered,
            Parting::Quit,
        ),
    };
    let dialect = Dialect {
        verbs,
        spaced,
        grouping,
    };
    (dialect, parting)
}

impl Maker<'_> {
    /// An errand of a class.
    pub(super) fn errand(
        &mut self,
        kind: Kind<'_>,
        sender: &Sender,
        cluster: u32,
        tries: Vec<Try>,
        draw: &mut Draw,
    ) -> Errand {
        let act = self.act(kind, sender, draw);
        Errand {
            id: 0,
            class: kind.class,
            case: None,
            traits: sender.traits,
            cluster,
            tries,
            speech: self.speech(kind, sender, act, draw),
        }
    }

    fn speech(&self, kind: Kind<'_>, sender: &Sender, act: Act, draw: &mut Draw) -> Speech {
        let traits = sender.traits;
        let (mut dialect, mut parting) = dialect(sender.software, draw);
        if traits.pipelines {
            dialect.grouping = Grouping::Always;
        }
        if traits.no_quit {
            parting = Parting::Close;
        }
        let login = matches!(sender.domain, SenderDomain::Ours);
        let extended = login || self.says_ehlo(kind, sender, draw);
        let starttls = extended && draw.chance(self.starttls(kind.class));
        Speech {
            helo: sender.helo.clone(),
            extended,
            tls: if starttls {
                Starttls::Offered
            } else {
                Starttls::Never
            },
            login: login.then(|| self.login(draw)),
            dialect,
            early: traits.early.then(|| early(kind.class, draw)),
            patience: self.patience(kind.class, draw),
            act,
            parting,
        }
    }

    fn says_ehlo(&self, kind: Kind<'_>, sender: &Sender, draw: &mut Draw) -> bool {
        let (other, row) = (&self.scenario.other, kind.row);
        let helo = match kind.is_unwanted() {
            true => other.helo_unwanted.value,
            false => other.helo_legitimate.value,
        };
        if kind.class != Class::B1 {
            return !draw.chance(helo);
        }
        if sender.traits.early {
            // The rude ones skip QUIT as well.
            return !sender.traits.no_quit;
        }
        let rude = row.early * other.early_are_rude.value;
        let others = (100.0 * helo - rude) / (100.0 - row.early).max(1.0);
        !draw.chance(others)
    }

    const fn starttls(&self, class: Class) -> f64 {
        let other = &self.scenario.other;
        match class {
            Class::B1 | Class::B2 | Class::B3 | Class::B4 => other.starttls_bots.value,
            Class::V1 | Class::W1 | Class::P1 | Class::E1 => other.starttls_spam.value,
            Class::A1 | Class::A2 | Class::D1 | Class::M1 => 0.0,
            _ => other.starttls_legitimate.value,
        }
    }

    /// A user and the password.
    pub(super) fn login(&self, draw: &mut Draw) -> (String, String) {
        let user = draw.one(&self.users).cloned().unwrap_or_default();
        let password = format!("secret-of-{user}");
        (user, password)
    }

    fn patience(&self, class: Class, draw: &mut Draw) -> Option<Duration> {
        let other = &self.scenario.other;
        match class {
            Class::B1 | Class::B2 | Class::D1 => draw
                .chance(other.leaves_early.value)
                .then(|| draw.time_between(Duration::from_secs(2), Duration::from_secs(10))),
            Class::G7 | Class::G8 if draw.chance(other.short_patience.value) => {
                draw.one(&[15, 30, 45]).copied().map(Duration::from_secs)
            }
            _ => None,
        }
    }
}

/// How soon it speaks: guessers answer the first line of the greeting, one round trip after it.
fn early(class: Class, draw: &mut Draw) -> Duration {
    let (from, to) = match class {
        Class::A1 => (10, 70),
        Class::A2 => (80, 300),
        _ => (20, 4000),
    };
    draw.time_between(Duration::from_millis(from), Duration::from_millis(to))
}
