//! The receiving machine: a client's octets to events, replies to octets, in strict order.
//!
//! It knows syntax, order and offers, no policy: who is served, how much and how long is decided
//! above. The caller owns the buffer and the clock, answers each event before it asks for the next,
//! and tells the machine each reply it writes. RFC 5321 §4.1.4 (order), §4.3.1 and RFC 2920 §3.1
//! (what may wait behind a command), RFC 3207 §4.2 (what TLS makes forgotten), RFC 4954 §4 (AUTH).

#[cfg(test)]
mod tests;

use super::{
    body::{BareNewline, BodyRead, BodyReader},
    chunk::ChunkReader,
    command::Command,
    extension::Extensions,
    fault::Fault,
    limits,
    line::{Line, LineReader},
    phase::Phase,
    reply::{Reply, ReplyClass},
    verb::Verb,
};

/// One step through the input.
#[derive(Debug)]
pub struct Step<'a> {
    /// Octets of the input that are done with.
    pub consumed: usize,
    /// What they were.
    pub event: Event<'a>,
}

/// What the client did.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Nothing complete yet: come again with more behind what was not consumed.
    NeedMore,
    /// A command, right in syntax, order and offers.
    Command(Command),
    /// Something that is wrong. The session answers it and goes on, unless the fault is fatal.
    Fault(Fault),
    /// Mail data. When it is at its end the reply to [`Verb::EndOfData`] is due; to [`Verb::Bdat`], if it came in a chunk
    /// that is not the last.
    Body(BodyRead<'a>),
    /// A line of an AUTH exchange, after the session answered 334.
    AuthLine(Line<'a>),
}

/// The state of one session with a client.
#[derive(Debug)]
pub struct Server {
    phase: Phase,
    offer: Extensions,
    /// EHLO was accepted, so that the offer holds; false after HELO.
    extended: bool,
    /// The last MAIL carried SMTPUTF8.
    smtputf8: bool,
    /// The last reply was 334.
    in_auth: bool,
    /// 235 was given: no second AUTH (RFC 4954 §4).
    authenticated: bool,
    lines: LineReader,
    bare_newline: BareNewline,
    body_line_max: Option<usize>,
    reader: Reader,
    /// Whether a chunk is under way.
    in_chunk: bool,
}

/// Who reads the mail data of this transaction.
#[derive(Debug)]
enum Reader {
    /// Of DATA.
    Body(BodyReader),
    /// Of BDAT.
    Chunks(ChunkReader),
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// A session before its greeting, with nothing offered and bare newlines rejected.
    pub fn new() -> Self {
        Self {
            phase: Phase::Connect,
            offer: Extensions::default(),
            extended: false,
            smtputf8: false,
            in_auth: false,
            authenticated: false,
            lines: LineReader::new(),
            bare_newline: BareNewline::Reject,
            body_line_max: None,
            reader: Reader::Body(BodyReader::new(BareNewline::Reject)),
            in_chunk: false,
        }
    }

    /// The phase.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// What the reply to EHLO offers.
    pub const fn offer(&self) -> &Extensions {
        &self.offer
    }

    /// Sets what the next reply to EHLO offers. Set it before that reply is written, not later: what
    /// is set is what is enforced.
    pub fn set_offer(&mut self, offer: Extensions) {
        self.offer = offer;
    }

    /// What to do about bare LF, from the next mail data on.
    pub const fn set_bare_newline(&mut self, bare: BareNewline) {
        self.bare_newline = bare;
    }

    /// The longest line of mail data without its CRLF, from the next mail data on; None for any.
    pub const fn set_body_line_max(&mut self, octets: Option<usize>) {
        self.body_line_max = octets;
    }

    /// True when the client may pipeline: it said EHLO and was told PIPELINING.
    pub const fn offers_pipelining(&self) -> bool {
        self.extended && self.offer.pipelining
    }

    /// True when the transaction's MAIL carried SMTPUTF8.
    pub const fn smtputf8(&self) -> bool {
        self.smtputf8
    }

    /// True while the rest of a faulty line is passed over: consumed as it comes, but not at its end yet.
    pub const fn is_skipping(&self) -> bool {
        self.lines.is_skipping()
    }

    /// Octets of mail data of this transaction so far, as SIZE counts them (RFC 1870 §3).
    pub const fn data_size(&self) -> u64 {
        match &self.reader {
            Reader::Body(body) => body.size(),
            Reader::Chunks(chunks) => chunks.size(),
        }
    }

    /// Reads at most one event from the start of `input`.
    pub fn next<'a>(&mut self, input: &'a [u8]) -> Step<'a> {
        match self.phase {
            Phase::Closed => Step {
                consumed: 0,
                event: Event::NeedMore,
            },
            Phase::Data => self.next_data(input),
            _ if self.in_chunk => self.next_data(input),
            _ => self.next_line(input),
        }
    }

    /// After the end of data, or of a chunk, nothing is read until the reply to it was written.
    fn next_data<'a>(&mut self, input: &'a [u8]) -> Step<'a> {
        let read = match &mut self.reader {
            Reader::Body(body) => body.read(input),
            Reader::Chunks(chunks) => chunks.read(input),
        };
        let consumed = read.consumed;
        // A chunk can be empty, and is over then.
        let is_something = consumed > 0 || (self.in_chunk && read.end);
        self.in_chunk &= !read.end;
        Step {
            consumed,
            event: match is_something {
                true => Event::Body(read),
                false => Event::NeedMore,
            },
        }
    }

    fn next_line<'a>(&mut self, input: &'a [u8]) -> Step<'a> {
        let limit = if self.in_auth {
            limits::AUTH_LINE
        } else {
            limits::COMMAND_LINE
        };
        self.lines.set_limit(limit);
        let step = self.lines.next(input);
        let event = match step.line {
            None => Event::NeedMore,
            // Its chunk follows, which nobody could tell from commands.
            Some(Err(_)) if is_bdat(input) => Event::Fault(Fault::Syntax(Verb::Bdat)),
            Some(Err(fault)) => Event::Fault(fault),
            Some(Ok(line)) if self.in_auth => Event::AuthLine(line),
            Some(Ok(line)) => self.command(line).map_or_else(Event::Fault, Event::Command),
        };
        Step {
            consumed: step.consumed,
            event,
        }
    }

    fn command(&mut self, line: Line<'_>) -> Result<Command, Fault> {
        let command = Command::parse(line)?;
        let verb = command.verb();
        if !self.phase.allows(verb) || (verb == Verb::Auth && self.authenticated) {
            return Err(match self.is_in_vain(verb) {
                true => Fault::InVain(verb),
                false => Fault::OutOfOrder(verb),
            });
        }
        if !self.is_offered(verb) {
            return Err(Fault::NotOffered(verb));
        }
        self.check_params(&command)?;
        if let Command::Mail(_, params) = &command {
            self.smtputf8 = params.smtputf8;
        }
        if let Command::Bdat { size, last } = command {
            self.begin_chunk(size, last);
        }
        Ok(command)
    }

    /// Whether what `verb` builds on may have been refused in the same command group.
    const fn is_in_vain(&self, verb: Verb) -> bool {
        let lost = matches!(
            (self.phase, verb),
            (Phase::Ready, Verb::Rcpt | Verb::Data) | (Phase::Mail, Verb::Data)
        );
        lost && self.offers_pipelining()
    }

    /// What follows is a chunk, whatever becomes of it.
    const fn begin_chunk(&mut self, size: u64, last: bool) {
        let fresh = ChunkReader::new(self.bare_newline, self.body_line_max);
        let mut chunks = match self.reader {
            Reader::Chunks(chunks) if matches!(self.phase, Phase::Chunks) => chunks,
            _ => fresh,
        };
        chunks.begin(size, last);
        self.reader = Reader::Chunks(chunks);
        self.in_chunk = true;
    }

    /// EXPN never is (RFC 5321 §7.3).
    const fn is_offered(&self, verb: Verb) -> bool {
        match verb {
            Verb::StartTls => self.extended && self.offer.starttls,
            Verb::Auth => self.extended && self.offer.auth.is_some(),
            Verb::Bdat => self.extended && self.offer.chunking,
            Verb::Expn => false,
            _ => true,
        }
    }

    /// Only what was offered may be used, and after HELO nothing was.
    fn check_params(&self, command: &Command) -> Result<(), Fault> {
        let none = Extensions::default();
        let offer = if self.extended { &self.offer } else { &none };
        match command {
            Command::Mail(_, params) if !offer.covers_mail(params) => {
                Err(Fault::UnknownParameter(Verb::Mail))
            }
            Command::Mail(_, params) if params.size.is_some_and(|size| offer.is_too_big(size)) => {
                Err(Fault::MessageTooBig)
            }
            Command::Rcpt(_, params) if !offer.covers_rcpt(params) => {
                Err(Fault::UnknownParameter(Verb::Rcpt))
            }
            Command::Rcpt(..) if command.needs_smtputf8() && !self.smtputf8 => Err(Fault::EightBit),
            Command::Auth { mechanism, .. } if !offer.has_mechanism(mechanism) => {
                Err(Fault::UnknownMechanism)
            }
            _ => Ok(()),
        }
    }

    /// Writes the reply to `verb` and moves the phase by it. [`Verb::Connect`] is the greeting, the
    /// last line of it where it comes in parts; [`Verb::EndOfData`] the final dot.
    pub fn reply(&mut self, verb: Verb, reply: &Reply, out: &mut Vec<u8>) {
        reply.write(out);
        let class = reply.class();
        self.phase = self.phase.after(verb, class, reply.code);
        match (verb, class) {
            (Verb::Ehlo, ReplyClass::Positive) => self.extended = true,
            (Verb::Helo, ReplyClass::Positive) => self.extended = false,
            (Verb::Data, ReplyClass::Intermediate) => {
                let body = BodyReader::new(self.bare_newline).with_line_max(self.body_line_max);
                self.reader = Reader::Body(body);
            }
            (Verb::Auth, class) => {
                self.in_auth = class == ReplyClass::Intermediate;
                self.authenticated |= class == ReplyClass::Positive;
            }
            _ => {}
        }
    }

    /// Writes the reply to input that was no command: a [`Fault`], or a shutdown. It moves nothing,
    /// except that 421 and 521 close and that an AUTH exchange is over.
    pub fn refuse(&mut self, reply: &Reply, out: &mut Vec<u8>) {
        reply.write(out);
        if reply.closes() {
            self.phase = Phase::Closed;
        }
        self.in_auth = false;
    }

    /// Forgets everything the client said before TLS, a half-read line included; the caller throws
    /// its buffer away. STARTTLS is not offered again (RFC 3207 §4.2).
    pub fn reset_after_starttls(&mut self) {
        let offer = Extensions {
            starttls: false,
            ..std::mem::take(&mut self.offer)
        };
        *self = Self {
            phase: Phase::Start,
            offer,
            bare_newline: self.bare_newline,
            body_line_max: self.body_line_max,
            ..Self::new()
        };
    }

    /// What is wrong with `waiting`, the input not read yet, at the moment the reply to `verb` is to
    /// be written; None when it may be there.
    ///
    /// Anything may wait behind the final dot (RFC 2920 §3.1). Something behind DATA is mail data
    /// whatever the reply would have been, and would be read as commands.
    pub fn judge_waiting(&self, verb: Verb, waiting: &[u8]) -> Option<Fault> {
        if waiting.is_empty() {
            return None;
        }
        let begins = |word: &str| {
            waiting
                .get(..word.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()))
        };
        match verb {
            Verb::EndOfData => None,
            Verb::StartTls => Some(Fault::BytesAfterStartTls),
            Verb::Data => Some(Fault::DataBefore354),
            Verb::Ehlo | Verb::Helo if begins("MAIL") => Some(Fault::MailBeforeEhloReply),
            Verb::Rset if !self.phase.in_transaction() && begins("QUIT") => None,
            _ if !self.offers_pipelining() => Some(Fault::Pipelining),
            _ => verb.ends_group().then_some(Fault::GroupBreak),
        }
    }
}

/// Whether a line begins as BDAT does, whatever else is wrong with it.
fn is_bdat(line: &[u8]) -> bool {
    let word = line
        .get(..4)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"BDAT"));
    word && !line.get(4).is_some_and(u8::is_ascii_alphanumeric)
}
