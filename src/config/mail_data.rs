//! `[mail_data]`: what is done with flaws in mail data.

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use crate::config::place::key;
use crate::config::report::Report;
use crate::config::units::{self, Text};
use crate::smtp::body::BareNewline;

/// Mail data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MailData {
    /// What is done with a bare LF (RFC 5321 §2.3.8, §4.1.1.4).
    #[serde(deserialize_with = "units::word")]
    pub bare_newline: BareNewline,
    /// The longest line, its end not counted; longer ones are refused.
    #[serde(with = "units::text")]
    pub longest_line: ByteSize,
    /// Whether clients may send messages in chunks (RFC 3030).
    pub chunking: bool,
}

impl Default for MailData {
    fn default() -> Self {
        Self {
            bare_newline: BareNewline::default(),
            longest_line: ByteSize::mib(1),
            chunking: true,
        }
    }
}

/// Judges the section.
pub(in crate::config) fn check(mail_data: &MailData, report: &mut Report<'_>) {
    report.range(
        &key(&["mail_data", "longest_line"]),
        &mail_data.longest_line,
        &(ByteSize::b(998)..=ByteSize::gib(2)),
        Text::text,
    );
}

/// The section as it stands in the reference file.
pub(in crate::config) const SAMPLE: &str = r#"[mail_data]
# What is done with LF that does not follow CR (RFC 5321 §2.3.8): "reject" the message, or "normalize" it to CRLF. The
# end of mail data is CRLF.CRLF as the client sent it in either case.
bare_newline = "reject"
# The longest line of a message, at least 998B (RFC 5321 §4.5.3.1.6); real mail has longer ones, and a backend may refuse
# them earlier. Longer ones are refused.
longest_line = "1MiB"
# Whether clients may send messages in chunks (CHUNKING, RFC 3030). The backend gets them by DATA, written anew.
chunking = true
"#;
