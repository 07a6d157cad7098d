//! Who may log in; and [`MayLogIn`], the key to a backend for that alone.
//!
//! Whoever logs in was not judged: on a listener for users nobody is before. So its key opens the backend for the AUTH
//! exchange and for nothing else; mail goes the same way as everybody's, with a verdict and what it clears
//! ([`Cleared`](crate::checks::verdict::Cleared)), on a connection on which the backend has said 235. RFC 4954 §4, RFC 6409
//! §4.3, RFC 8314 §3.

use crate::facts::{Facts, Logins};

/// Proof that a client may try to log in. It can be made by [`may_log_in`] alone.
///
/// ```compile_fail,E0451
/// let forged = gatepost::checks::login::MayLogIn { _private: () };
/// ```
#[derive(Debug)]
pub struct MayLogIn {
    _private: (),
}

/// The key for a client that may log in: the listener lets users in, nobody else can read the password (TLS), and it has
/// not logged in yet.
#[must_use]
pub fn may_log_in(facts: &Facts) -> Option<MayLogIn> {
    let welcome = facts.logins() != Logins::None;
    let may = welcome && facts.tls().is_some() && facts.user().is_none();
    may.then_some(MayLogIn { _private: () })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Client, Fact, Login, Millis, Stage, TlsParameters};

    fn facts(logins: Logins) -> Facts {
        let address = "192.0.2.1:40000".parse().unwrap();
        let mut client = Client::new(address, address, "smtps");
        client.logins = logins;
        Facts::new(client)
    }

    fn with(mut facts: Facts, fact: Fact) -> Facts {
        facts.push(Stage::Helo, Millis(1), fact);
        facts
    }

    fn tls() -> Fact {
        Fact::Tls(Box::new(TlsParameters {
            version: "TLSv1.3".into(),
            cipher: "x".into(),
            server_name: None,
        }))
    }

    fn login(code: u16) -> Fact {
        Fact::Login(Box::new(Login {
            mechanism: "PLAIN".into(),
            code,
            name: None,
        }))
    }

    #[test]
    fn only_under_tls_only_where_allowed_only_once() {
        assert!(may_log_in(&facts(Logins::Required)).is_none());
        assert!(may_log_in(&with(facts(Logins::None), tls())).is_none());
        for logins in [Logins::Allowed, Logins::Required] {
            let ready = with(facts(logins), tls());
            assert!(may_log_in(&ready).is_some());
            assert!(may_log_in(&with(ready.clone(), login(535))).is_some());
            assert!(may_log_in(&with(ready, login(235))).is_none());
        }
    }

    #[test]
    fn who_is_a_user() {
        assert!(facts(Logins::Required).is_of_users());
        let allowed = with(facts(Logins::Allowed), tls());
        assert!(!allowed.is_of_users());
        assert!(!with(allowed.clone(), login(535)).is_of_users());
        assert!(with(allowed, login(235)).is_of_users());
    }
}
