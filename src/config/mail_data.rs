//! `[mail_data]`: what is done with flaws in mail data.

use serde::{Deserialize, Serialize};

use crate::config::units;
use crate::smtp::body::BareNewline;

/// Mail data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MailData {
    /// What is done with a bare LF (RFC 5321 §2.3.8, §4.1.1.4).
    #[serde(deserialize_with = "units::word")]
    pub bare_newline: BareNewline,
    /// Whether clients may send messages in chunks (RFC 3030).
    pub chunking: bool,
}

impl Default for MailData {
    fn default() -> Self {
        Self {
            bare_newline: BareNewline::default(),
            chunking: true,
        }
    }
}

/// The section as it stands in the reference file.
pub(in crate::config) const SAMPLE: &str = r#"[mail_data]
# What is done with LF that does not follow CR (RFC 5321 §2.3.8): "reject" the message, or "normalize" it to CRLF. The
# end of mail data is CRLF.CRLF as the client sent it in either case.
bare_newline = "reject"
# Whether clients may send messages in chunks (CHUNKING, RFC 3030). The backend gets them by DATA, written anew.
chunking = true
"#;
