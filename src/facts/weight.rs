//! About how much memory a fact takes, so that what one session remembers can be bounded.
//!
//! Near enough, not exact: the fixed part of each type, and the text that comes from outside. What allocators add is left
//! out.

use crate::facts::{
    Answer, Answered, Client, DnsAnswer, Entry, Fact, Helo, Listed, Login, Mail, Question, Rcpt,
    Record, RecordData, Silence, TlsParameters,
};

impl Fact {
    /// About how many octets it takes among the facts of a session, its [`Entry`] included.
    #[must_use]
    pub fn octets(&self) -> usize {
        let own = match self {
            Self::Client(client) => size_of::<Client>() + client.listener.len(),
            Self::Tls(tls) => size_of::<TlsParameters>() + tls_text(tls),
            Self::Helo(helo) => size_of::<Helo>() + helo.name.as_str().len(),
            Self::Login(login) => size_of::<Login>() + login_text(login),
            Self::Mail(mail) => size_of::<Mail>() + mail.path.to_string().len(),
            Self::Rcpt(rcpt) => size_of::<Rcpt>() + rcpt.path.to_string().len(),
            Self::Rejected | Self::Reset | Self::Fault(_) => 0,
            Self::Listed(listed) => size_of::<Listed>() + listed.subject.text(),
            Self::Answered(answered) => {
                let question = match &answered.question {
                    Question::Count(counting) => counting.octets(),
                    _ => 0,
                };
                size_of::<Answered>() + question + answer_text(&answered.answer)
            }
        };
        size_of::<Entry>() + own
    }
}

fn tls_text(tls: &TlsParameters) -> usize {
    let named = tls.server_name.as_ref().map_or(0, |name| name.len());
    tls.version.len() + tls.cipher.len() + named
}

fn login_text(login: &Login) -> usize {
    let name = login.name.as_ref().map_or(0, |name| name.len());
    login.mechanism.len() + name
}

fn answer_text(answer: &Answer) -> usize {
    match answer {
        Answer::Silence(Silence::Spoke { bytes, .. }) => bytes.len(),
        Answer::Dns(DnsAnswer::Found(records)) => records.iter().map(record).sum(),
        Answer::Silence(_)
        | Answer::Dns(_)
        | Answer::Memory(_)
        | Answer::Primary(_)
        | Answer::Count(_) => 0,
    }
}

fn record(record: &Record) -> usize {
    let text = match &record.data {
        RecordData::A(_) | RecordData::Aaaa(_) => 0,
        RecordData::Cname(text)
        | RecordData::Mx(_, text)
        | RecordData::Ptr(text)
        | RecordData::Txt(text) => text.len(),
    };
    size_of::<Record>() + text
}
