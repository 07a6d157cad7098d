//! Sizes the protocol floor keeps to, in octets unless said otherwise.
//!
//! Fixed numbers of the standards, with room where RFC 5321 §4.5.3.1 asks for it. Not the
//! operator's limits (message size, recipients, connections): those are configuration.

/// A command line with its CRLF. RFC 5321 §4.5.3.1.4 says 512; MAIL with all extensions may have
/// about 1200 (RFC 1870, 3461, 4954, 6152, 6531 each add their own).
pub const COMMAND_LINE: usize = 4096;

/// A line while AUTH runs, the AUTH command included, with its CRLF. RFC 4954 §4.
pub const AUTH_LINE: usize = 12_288;

/// Octets without a CRLF after which nothing can be read any more. Far over every limit, so that a
/// client that only made one line too long is answered and read on.
pub const ENDLESS_LINE: usize = 65_536;

/// A path with its angle brackets, without a source route. RFC 5321 §4.5.3.1.3.
pub const PATH: usize = 256;

/// A local-part as written, quotes included. RFC 5321 §4.5.3.1.1 says 64, but bounces to mailing lists (VERP) and
/// forwarded senders (SRS) are longer, and §4.5.3.1 asks to take them: only [`PATH`] bounds it, `<` `@a>` taken off.
pub const LOCAL_PART: usize = PATH - 4;

/// A domain. RFC 5321 §4.5.3.1.2.
pub const DOMAIN: usize = 255;

/// A label of a domain; characters where it is not ASCII. RFC 1035 §2.3.4.
pub const LABEL: usize = 63;

/// The argument of HELO and EHLO, which is a domain or an address literal.
pub const HELO_NAME: usize = DOMAIN;

/// Digits of a size in SIZE= (RFC 1870 §3) and BDAT (RFC 3030 §2).
pub const SIZE_DIGITS: usize = 20;

/// An ENVID as written. RFC 3461 §4.4.
pub const ENVID: usize = 100;

/// An ORCPT as written. RFC 3461 §4.2.
pub const ORCPT: usize = 500;

/// The value of AUTH= in MAIL as written. RFC 4954 §5.
pub const AUTH_PARAM: usize = 500;

/// The name of a SASL mechanism. RFC 4422 §3.1.
pub const MECHANISM: usize = 20;
