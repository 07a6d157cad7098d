//! SMTP verbs and what is fixed about each of them: one table row per verb.
//!
//! Not here: the phases in which a verb is legal (`phase.rs`) and the grammar of its argument
//! (`command.rs`). RFC 5321 §4.1.1 and §4.2.2, RFC 2920 §3.1 (command groups), RFC 3030 (BDAT),
//! RFC 3207 (STARTTLS), RFC 4954 (AUTH).

use serde::{Deserialize, Serialize};

/// A verb of the protocol, and two pseudo verbs for the moments that are answered without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// HELO, RFC 5321 §4.1.1.1.
    Helo,
    /// EHLO, RFC 5321 §4.1.1.1.
    Ehlo,
    /// MAIL FROM, RFC 5321 §4.1.1.2.
    Mail,
    /// RCPT TO, RFC 5321 §4.1.1.3.
    Rcpt,
    /// DATA, RFC 5321 §4.1.1.4.
    Data,
    /// RSET, RFC 5321 §4.1.1.5.
    Rset,
    /// NOOP, RFC 5321 §4.1.1.9.
    Noop,
    /// QUIT, RFC 5321 §4.1.1.10.
    Quit,
    /// VRFY, RFC 5321 §4.1.1.6.
    Vrfy,
    /// EXPN, RFC 5321 §4.1.1.7.
    Expn,
    /// HELP, RFC 5321 §4.1.1.8.
    Help,
    /// STARTTLS, RFC 3207 §4.
    #[serde(rename = "starttls")]
    StartTls,
    /// AUTH, RFC 4954 §4.
    Auth,
    /// BDAT, RFC 3030 §2.
    Bdat,
    /// Pseudo verb: the final dot of DATA, which is answered like a command.
    EndOfData,
    /// Pseudo verb: the connection itself, answered by the greeting.
    Connect,
}

/// What may stand behind a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Nothing; anything is a syntax fault (501, RFC 5321 §4.2.4).
    None,
    /// Text that means nothing to the protocol, or nothing (NOOP, HELP).
    Optional,
    /// Must be there; `command.rs` knows its grammar.
    Required,
}

/// One row of the table.
struct Row {
    keyword: &'static str,
    label: &'static str,
    argument: Argument,
    ends_group: bool,
}

impl Verb {
    /// Every verb a client can send; the pseudo verbs are not among them.
    pub const ALL: [Self; 14] = [
        Self::Helo,
        Self::Ehlo,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Rset,
        Self::Noop,
        Self::Quit,
        Self::Vrfy,
        Self::Expn,
        Self::Help,
        Self::StartTls,
        Self::Auth,
        Self::Bdat,
    ];

    /// The table. `ends_group`: RFC 2920 §3.1 lets the verb stand only at the end of a command
    /// group, because what follows depends on the reply. NOOP, VRFY and EXPN are on its list too,
    /// but nothing depends on them and good clients send on, so they end none here. BDAT is followed
    /// by its chunk and may be followed by another BDAT (RFC 3030 §4.2).
    const fn row(self) -> Row {
        use Argument::{None, Optional, Required};
        match self {
            Self::Helo => row("HELO", "helo", Required, true),
            Self::Ehlo => row("EHLO", "ehlo", Required, true),
            Self::Mail => row("MAIL", "mail", Required, false),
            Self::Rcpt => row("RCPT", "rcpt", Required, false),
            Self::Data => row("DATA", "data", None, true),
            Self::Rset => row("RSET", "rset", None, false),
            Self::Noop => row("NOOP", "noop", Optional, false),
            Self::Quit => row("QUIT", "quit", None, true),
            Self::Vrfy => row("VRFY", "vrfy", Required, false),
            Self::Expn => row("EXPN", "expn", Required, false),
            Self::Help => row("HELP", "help", Optional, false),
            Self::StartTls => row("STARTTLS", "starttls", None, true),
            Self::Auth => row("AUTH", "auth", Required, true),
            Self::Bdat => row("BDAT", "bdat", Required, false),
            Self::EndOfData => row(".", "end_of_data", None, false),
            Self::Connect => row("", "connect", None, true),
        }
    }

    /// The keyword in upper case; "." and "" for the pseudo verbs.
    pub const fn keyword(self) -> &'static str {
        self.row().keyword
    }

    /// A short name for metrics and logs, the same that serde writes.
    pub const fn label(self) -> &'static str {
        self.row().label
    }

    /// What may stand behind the verb.
    pub const fn argument(self) -> Argument {
        self.row().argument
    }

    /// True when nothing may be sent behind this verb before its reply, even with PIPELINING.
    pub const fn ends_group(self) -> bool {
        self.row().ends_group
    }

    /// The verb a client's keyword stands for, in any case; never a pseudo verb.
    pub fn from_keyword(keyword: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|verb| keyword.eq_ignore_ascii_case(verb.keyword().as_bytes()))
    }
}

const fn row(
    keyword: &'static str,
    label: &'static str,
    argument: Argument,
    ends_group: bool,
) -> Row {
    Row {
        keyword,
        label,
        argument,
        ends_group,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_in_any_case_and_nothing_else() {
        for verb in Verb::ALL {
            let keyword = verb.keyword();
            assert_eq!(Verb::from_keyword(keyword.as_bytes()), Some(verb));
            assert_eq!(
                Verb::from_keyword(keyword.to_lowercase().as_bytes()),
                Some(verb)
            );
            assert_eq!(Verb::from_keyword(&keyword.as_bytes()[1..]), None);
        }
        for none in ["", ".", "EHLOX", "ETRN", "XCLIENT"] {
            assert_eq!(Verb::from_keyword(none.as_bytes()), None);
        }
    }

    #[test]
    fn labels_are_what_serde_writes() {
        for verb in Verb::ALL
            .into_iter()
            .chain([Verb::EndOfData, Verb::Connect])
        {
            assert_eq!(
                serde_json::to_string(&verb).unwrap(),
                format!("\"{}\"", verb.label())
            );
        }
    }

    /// RFC 2920 §3.1, and the handshakes that came later.
    #[test]
    fn groups_end_where_the_reply_decides() {
        let ends: Vec<_> = Verb::ALL
            .into_iter()
            .filter(|verb| verb.ends_group())
            .collect();
        let expected = [
            Verb::Helo,
            Verb::Ehlo,
            Verb::Data,
            Verb::Quit,
            Verb::StartTls,
            Verb::Auth,
        ];
        assert_eq!(ends, expected);
    }
}
