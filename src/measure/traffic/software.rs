//! What clients run, by their class, and what goes with it.

use super::draw::Draw;
use crate::measure::trace::Class;

/// What a client runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Software {
    Gmail,
    Exchange,
    Postfix,
    Exim,
    Sendmail,
    Qmail,
    /// That of mailing services.
    Service,
    /// Python's smtplib.
    Script,
    DotNet,
    Java,
    /// Mailers of hosting companies: RSET and QUIT in one segment.
    Hosting,
    /// What users write mail with.
    User,
    /// A bot's own.
    Bot,
    /// A professional mailer behind a proxy.
    Engine,
}

/// Whether those of a class begin with the last mail exchanger.
pub(super) const fn goes_to_last_exchanger(class: Class) -> bool {
    matches!(
        class,
        Class::B1 | Class::B2 | Class::B3 | Class::B4 | Class::D1
    )
}

/// What a host of a class runs: of companies 45 % Postfix, 20 Exim, 20 Exchange, 5 sendmail, 10 others (estimated).
pub(super) fn software(class: Class, draw: &mut Draw) -> Software {
    use Software::{
        DotNet, Exchange, Exim, Hosting, Java, Postfix, Qmail, Script, Sendmail, Service,
    };
    match class {
        Class::B1 | Class::B2 | Class::B3 | Class::D1 | Class::A1 | Class::A2 | Class::G9 => {
            Software::Bot
        }
        Class::B4 => Software::Engine,
        Class::M1 => Software::User,
        Class::V1 => draw
            .one(&[Postfix, Exim, Service])
            .copied()
            .unwrap_or(Postfix),
        Class::G8 => draw
            .one(&[Script, DotNet, Java, Hosting])
            .copied()
            .unwrap_or(Script),
        _ => match draw.below(20) {
            0..=8 => Postfix,
            9..=12 => Exim,
            13..=16 => Exchange,
            17 => Sendmail,
            _ => Qmail,
        },
    }
}
