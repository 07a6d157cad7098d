//! The dialogue: octets to events, each event to one reply (RFC 5321 §4.1, §4.3).
//!
//! Names no check. Faults become facts; what they cost is the judge's business. Every reply goes out through
//! [`Session::reply`], which first looks for input that should not be there yet (RFC 2920 §3.1).

use std::time::Duration;

use tokio::time::Instant;

use crate::checks::verdict::Verdict;
use crate::facts::{Ended, Fact, Helo, Logins, Mail, Stage};
use crate::session::READ_LIMIT;
use crate::session::{Session, replies};
use crate::smtp::command::Command;
use crate::smtp::extension::Extensions;
use crate::smtp::fault::Fault;
use crate::smtp::reply::Reply;
use crate::smtp::server::Event;
use crate::smtp::verb::Verb;

/// What the machine saw, without a borrow of the input.
enum Heard {
    Nothing,
    Command(Command),
    Fault(Fault),
}

impl Session {
    /// Talks with the client until the session ends.
    pub(in crate::session) async fn converse(&mut self) -> Ended {
        self.offer();
        loop {
            // Not only where there is nothing to read: some clients never stop sending.
            if self.started.elapsed() >= self.shared.limits.session {
                return self.out_of_time().await;
            }
            let step = match self.hear() {
                Heard::Nothing => self.listen().await,
                // Boxed: a client that is silent costs only the listening.
                Heard::Command(command) => Box::pin(self.obey(command)).await,
                Heard::Fault(fault) => Box::pin(self.reproach(fault)).await,
            };
            if let Err(ended) = step {
                return ended;
            }
        }
    }

    fn hear(&mut self) -> Heard {
        let step = self.server.next(&self.input);
        let consumed = step.consumed;
        let heard = match step.event {
            Event::Command(command) => Heard::Command(command),
            Event::Fault(fault) => Heard::Fault(fault),
            // Mail data is read by `transfer`, lines of AUTH by `login`: outside of them these do not occur.
            Event::NeedMore | Event::Body(_) | Event::AuthLine(_) => Heard::Nothing,
        };
        self.consume(consumed);
        heard
    }

    /// Lets go of octets that were understood, and of the buffer's memory once it is empty.
    pub(in crate::session) fn consume(&mut self, octets: usize) {
        let _ = self.input.split_to(octets.min(self.input.len()));
        if self.input.is_empty() {
            self.input = bytes::BytesMut::new();
        }
        // What was noted about input behind a command has been read now.
        self.blamed = false;
    }

    /// Waits for more input. The deadline is that of a whole command: a client that drips octets gains nothing.
    pub(in crate::session) async fn listen(&mut self) -> Result<(), Ended> {
        let idle = !self.server.phase().in_transaction();
        let deadline = self.command_deadline();
        let patience = self.door.upstream.backend.idle_timeout;
        if deadline <= Instant::now() {
            return Err(self.out_of_time().await);
        }
        loop {
            let alarm = match self.relay {
                // Between transactions its place is of more use to others; but a login can not be had again.
                Some(_) if idle && self.facts.user().is_none() => {
                    deadline.min(Instant::now() + patience)
                }
                _ => deadline,
            };
            let read = tokio::select! {
                biased;
                read = self.stream.read_into(&mut self.input, READ_LIMIT) => read,
                answered = self.asking.next() => {
                    self.collect(answered);
                    continue;
                }
                () = tokio::time::sleep_until(alarm) => {
                    if alarm < deadline {
                        Box::pin(self.part_with_backend()).await;
                        continue;
                    }
                    return Err(self.out_of_time().await);
                }
                () = self.shared.draining.cancelled(), if idle => {
                    let reply = self.sign(replies::draining());
                    self.part(reply).await;
                    return Err(Ended::Shutdown);
                }
            };
            return match read {
                Ok(0) | Err(_) => Err(Ended::ClientLeft),
                Ok(read) => {
                    self.notes.bytes_in += read as u64;
                    Ok(())
                }
            };
        }
    }

    /// When the command that is being waited for must be complete.
    fn command_deadline(&mut self) -> Instant {
        let within = !self.input.is_empty() || self.server.is_skipping();
        let begun = match (within, self.command_begun) {
            (true, Some(begun)) => begun,
            _ => Instant::now(),
        };
        self.command_begun = Some(begun);
        let deadline = self.hurry(begun, self.shared.limits.command_timeout);
        let deadline = deadline.min(self.started + self.shared.limits.session);
        match &self.message {
            Some(message) => deadline.min(self.data_deadline(message)),
            None => deadline,
        }
    }

    /// The end of a wait that has `begun`. Who is let through only because of whom it writes to, may not sit on one of the
    /// few places for such: it has less time for each command and each block of mail data, and a transaction has an end.
    pub(in crate::session) fn hurry(&self, begun: Instant, patience: Duration) -> Instant {
        let relay = self.relay.as_ref();
        let Some(over) = relay.and_then(|relay| relay.suffered_until()) else {
            return begun + patience;
        };
        let deadline = begun + patience.min(self.door.upstream.backend.idle_timeout);
        match self.envelope.is_open() {
            true => deadline.min(over),
            false => deadline,
        }
    }

    /// Says which time is over, the command's or the session's.
    pub(in crate::session) async fn out_of_time(&mut self) -> Ended {
        if self.started.elapsed() >= self.shared.limits.session {
            return self.had_its_share().await;
        }
        let reply = self.sign(replies::too_slow());
        self.part(reply).await;
        Ended::ClientTimeout
    }

    /// Ends a session that has taken its share of time, messages or memory.
    pub(in crate::session) async fn had_its_share(&mut self) -> Ended {
        let reply = self.sign(replies::session_limit());
        self.part(reply).await;
        Ended::SessionLimit
    }

    async fn obey(&mut self, command: Command) -> Result<(), Ended> {
        self.command_begun = None;
        let verb = command.verb();
        self.count_idle(verb).await?;
        match command {
            Command::Helo(name) => {
                self.hello(Helo {
                    extended: false,
                    name,
                });
                self.reply(verb, replies::helo(&self.shared.hostname)).await
            }
            Command::Ehlo(name) => {
                self.hello(Helo {
                    extended: true,
                    name,
                });
                self.offer();
                let client = format!("[{}]", self.client().ip());
                let reply = self
                    .server
                    .offer()
                    .ehlo_reply(&self.shared.hostname, &client);
                self.reply(verb, reply).await
            }
            Command::Mail(path, mut params) => {
                if let Some(reply) = self.must_log_in().await? {
                    return self.reply(verb, reply).await;
                }
                // Nobody vouches for what a stranger says of its own login (RFC 4954 §5).
                params.auth = params.auth.filter(|_| self.facts.user().is_some());
                if self.memory.is_half_full() {
                    return Err(self.had_its_share().await);
                }
                self.reach(Stage::Mail);
                self.note(
                    Stage::Mail,
                    Fact::Mail(Box::new(Mail {
                        path: path.clone(),
                        size: params.size,
                    })),
                );
                self.note_entries();
                self.envelope.open(path, params);
                self.drop_if_called_for().await?;
                self.reply(verb, replies::sender_ok()).await
            }
            Command::Rcpt(path, params) => {
                // What waits behind it says something about this recipient too.
                self.look_behind(verb).await?;
                let reply = Box::pin(self.recipient(path, params)).await?;
                self.reply(verb, reply).await?;
                self.keep_in_step();
                Ok(())
            }
            Command::Data => {
                self.look_behind(verb).await?;
                Box::pin(self.transfer()).await
            }
            Command::Rset => {
                self.abandon_transaction();
                self.reply(verb, replies::ok()).await
            }
            Command::Noop => self.reply(verb, replies::ok()).await,
            Command::Help => self.reply(verb, replies::help()).await,
            Command::Vrfy => self.reply(verb, replies::cannot_verify()).await,
            Command::Quit => {
                self.part(replies::goodbye(&self.shared.hostname)).await;
                Err(Ended::Quit)
            }
            Command::StartTls => self.start_tls().await,
            Command::Bdat { size, last } => Box::pin(self.chunk(size, last)).await,
            Command::Auth { mechanism, initial } => Box::pin(self.log_in(mechanism, initial)).await,
            // Never offered, so the machine has already called it a fault.
            Command::Expn => self.reproach(Fault::NotOffered(verb)).await,
        }
    }

    fn hello(&mut self, helo: Helo) {
        self.abandon_transaction();
        self.reach(Stage::Helo);
        self.shared.live.name_helo(self.seat, helo.name.clone());
        self.note(Stage::Helo, Fact::Helo(Box::new(helo)));
        self.note_entries();
        // What the name raises is asked now; by the first recipient the answers have had time to come.
        let _ = self.consult();
    }

    /// Says to the machine what EHLO offers: our own list, and of the backend's only what it is known to have.
    fn offer(&mut self) {
        let backend = self.door.upstream.offered();
        let is_tls = self.stream.is_tls();
        let logins = is_tls && self.facts.logins() != Logins::None;
        let own = self.shared.limits.message_size.as_u64();
        let size = match backend.size {
            Some(theirs) if theirs > 0 => own.min(theirs),
            _ => own,
        };
        self.server.set_offer(Extensions {
            size: Some(size),
            eight_bit_mime: backend.eight_bit_mime,
            smtputf8: backend.smtputf8,
            dsn: backend.dsn,
            enhanced_status_codes: true,
            // Who has shown that it can wait need not: it is still held to the order within a group. Users need not show it,
            // for nobody sends who has not logged in; and since few say EHLO again behind AUTH, they are offered it before.
            pipelining: self.facts.is_remembered() || (self.facts.is_of_users() && is_tls),
            chunking: self.shared.mail_data.chunking,
            starttls: self.door.acceptor.is_some() && !is_tls,
            auth: logins.then(|| self.door.upstream.mechanisms()).flatten(),
        });
    }

    /// A fault becomes a fact and an answer; some end the session.
    pub(in crate::session) async fn reproach(&mut self, fault: Fault) -> Result<(), Ended> {
        self.command_begun = None;
        if let Fault::InVain(verb) = fault {
            self.count_in_vain().await?;
            let reply = self.sign(fault.reply());
            return self.object(verb, reply).await;
        }
        self.note_fault(fault);
        self.drop_if_called_for().await?;
        let login = fault == Fault::NotOffered(Verb::Auth) && self.facts.logins() != Logins::None;
        let reply = self.sign(match login && !self.stream.is_tls() {
            true => replies::login_needs_tls(),
            false => fault.reply(),
        });
        if fault.is_fatal() {
            self.part(reply).await;
            return Err(Ended::Fault(fault));
        }
        self.lose_patience().await?;
        self.object(concerned(fault), reply).await
    }

    /// Ends a session with too many faults in it.
    pub(in crate::session) async fn lose_patience(&mut self) -> Result<(), Ended> {
        if self.notes.faults < self.shared.limits.errors {
            return Ok(());
        }
        Err(self.give_up().await)
    }

    pub(in crate::session) async fn give_up(&mut self) -> Ended {
        self.note(self.stage, Fact::Fault(Fault::TooManyErrors));
        let reply = self.sign(Fault::TooManyErrors.reply());
        self.part(reply).await;
        Ended::Fault(Fault::TooManyErrors)
    }

    /// Commands that bring no mail nearer are free only so often.
    async fn count_idle(&mut self, verb: Verb) -> Result<(), Ended> {
        match verb {
            Verb::Noop | Verb::Rset | Verb::Vrfy | Verb::Help | Verb::Helo | Verb::Ehlo => {
                self.count_fruitless().await
            }
            _ => Ok(()),
        }
    }

    /// As many commands as a transaction may have recipients can be lost with it, and one DATA.
    async fn count_in_vain(&mut self) -> Result<(), Ended> {
        self.notes.in_vain += 1;
        if self.notes.in_vain <= self.shared.limits.recipients.saturating_add(1) {
            return Ok(());
        }
        Err(self.give_up().await)
    }

    /// One more command that has brought nothing.
    pub(in crate::session) async fn count_fruitless(&mut self) -> Result<(), Ended> {
        self.notes.idle_commands += 1;
        if self.notes.idle_commands <= self.shared.limits.commands_without_mail {
            return Ok(());
        }
        Err(self.give_up().await)
    }

    pub(in crate::session) fn note_fault(&mut self, fault: Fault) {
        self.notes.faults += 1;
        self.note(self.stage, Fact::Fault(fault));
    }

    pub(in crate::session) async fn drop_if_called_for(&mut self) -> Result<(), Ended> {
        match self.drop_verdict() {
            Some(verdict) => Err(self.dismiss(&verdict).await),
            None => Ok(()),
        }
    }

    /// Ends the session because the verdict says so.
    pub(in crate::session) async fn dismiss(&mut self, verdict: &Verdict) -> Ended {
        self.decide(verdict);
        let reply = self.sign(verdict.farewell(self.client().ip()));
        self.show_out(reply).await
    }

    /// The last words of a session that is dropped.
    pub(in crate::session) async fn show_out(&mut self, reply: Reply) -> Ended {
        self.part(reply).await;
        Ended::Dropped
    }
}

/// The verb a fault is about, as far as input behind it is concerned.
const fn concerned(fault: Fault) -> Verb {
    match fault {
        Fault::Syntax(verb)
        | Fault::UnknownParameter(verb)
        | Fault::BadParameter(verb)
        | Fault::OutOfOrder(verb)
        | Fault::InVain(verb)
        | Fault::NotOffered(verb) => verb,
        Fault::UnknownMechanism => Verb::Auth,
        _ => Verb::Noop,
    }
}
