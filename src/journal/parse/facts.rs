//! Facts, as the writer writes them: answers first of all, and what the client said.

use crate::facts::{
    Answer, Answered, Counting, DnsAnswer, DnsName, Entry, Fact, Helo, Mail, Millis, Party,
    Question, Quota, Rcpt, Recall, Record, RecordData, Silence,
};
use crate::journal::parse::Reader;

/// Quotas in which most recipients are counted.
const QUOTAS: usize = 3;

impl<'l> Reader<'l> {
    pub(super) fn entry(&mut self) -> Option<Entry> {
        self.or_any(|reader| {
            reader.eat("{\"stage\":")?;
            let stage = reader.word()?;
            reader.eat(",\"at\":")?;
            let at = Millis(reader.number()?);
            reader.eat(",\"fact\":")?;
            let fact = reader.or_any(Self::fact)?;
            reader.eat("}")?;
            Some(Entry { stage, at, fact })
        })
    }

    fn fact(&mut self) -> Option<Fact> {
        if self.eat("{\"answered\":").is_some() {
            return self.answered();
        }
        let fact = if self.eat("{\"rcpt\":{\"path\":").is_some() {
            let path = self.parsed()?;
            Fact::Rcpt(Box::new(Rcpt { path }))
        } else if self.eat("{\"mail\":{\"path\":").is_some() {
            let path = self.parsed()?;
            let size = match self.eat(",\"size\":") {
                Some(()) => Some(self.number()?.into()),
                None => None,
            };
            Fact::Mail(Box::new(Mail { path, size }))
        } else {
            self.eat("{\"helo\":{\"extended\":")?;
            let extended = self.eat("true,").is_some();
            if !extended {
                self.eat("false,")?;
            }
            self.eat("\"name\":")?;
            let name = self.parsed()?;
            Fact::Helo(Box::new(Helo { extended, name }))
        };
        self.eat("}}")?;
        Some(fact)
    }

    fn answered(&mut self) -> Option<Fact> {
        self.eat("{\"question\":")?;
        let question = self.or_any(Self::question)?;
        self.eat(",\"answer\":")?;
        let answer = self.or_any(Self::answer)?;
        self.eat(",\"took\":")?;
        let took = Millis(self.number()?);
        self.eat(",\"source\":")?;
        let source = self.word()?;
        self.eat("}}")?;
        Some(Fact::Answered(Box::new(Answered {
            question,
            answer,
            took,
            source,
        })))
    }

    pub(super) fn question(&mut self) -> Option<Question> {
        let question = if self.eat("{\"dns\":{\"name\":").is_some() {
            let name = DnsName::new(self.text()?);
            self.eat(",\"kind\":")?;
            let kind = self.word()?;
            self.eat("}")?;
            Question::Dns { name, kind }
        } else if self.eat("{\"memory\":{\"pass\":").is_some() {
            let identity = self.parsed()?;
            self.eat("}")?;
            Question::Memory(Recall::Pass(identity))
        } else if self.eat("{\"memory\":{\"harvest\":").is_some() {
            let network = self.parsed()?;
            self.eat("}")?;
            Question::Memory(Recall::Harvest(network))
        } else if self.eat("{\"count\":{\"recipient\":").is_some() {
            let recipient = self.number()?;
            self.eat(",\"quotas\":[")?;
            let quotas = self.list(QUOTAS, Self::quota)?.into();
            self.eat("}")?;
            Question::Count(Box::new(Counting { recipient, quotas }))
        } else {
            self.eat("{\"silence\":{\"wait\":")?;
            let wait = Millis(self.number()?);
            let teaser = self.eat(",\"teaser\":true}").is_some();
            if !teaser {
                self.eat(",\"teaser\":false}")?;
            }
            Question::Silence { wait, teaser }
        };
        self.eat("}")?;
        Some(question)
    }

    fn quota(&mut self) -> Option<Quota> {
        self.eat("{\"of\":{")?;
        let party = self.text()?;
        self.eat(":")?;
        let of = match party {
            "address" => Party::Address(self.parsed()?),
            "network" => Party::Network(self.parsed()?),
            "sender" => {
                self.eat("{\"network\":")?;
                let network = self.parsed()?;
                self.eat(",\"mailbox\":")?;
                let mailbox = self.text()?.into();
                self.eat("}")?;
                Party::Sender { network, mailbox }
            }
            _ => return None,
        };
        self.eat("},\"rate\":")?;
        let rate = self.parsed()?;
        self.eat("}")?;
        Some(Quota { of, rate })
    }

    pub(super) fn answer(&mut self) -> Option<Answer> {
        let answer = if self.eat("{\"dns\":").is_some() {
            Answer::Dns(self.dns_answer()?)
        } else if self.eat("{\"memory\":").is_some() {
            Answer::Memory(self.word()?)
        } else if self.eat("{\"count\":").is_some() {
            Answer::Count(self.word()?)
        } else {
            self.eat("{\"silence\":{\"silent\":{\"watched\":")?;
            let watched = Millis(self.number()?);
            self.eat("}}")?;
            Answer::Silence(Silence::Silent { watched })
        };
        self.eat("}")?;
        Some(answer)
    }

    fn dns_answer(&mut self) -> Option<DnsAnswer> {
        if self.eat("{\"found\":[").is_some() {
            let records = self.list(1, Self::record)?;
            self.eat("}")?;
            return Some(DnsAnswer::Found(records));
        }
        if self.eat("{\"failed\":").is_some() {
            let failure = self.word()?;
            self.eat("}")?;
            return Some(DnsAnswer::Failed(failure));
        }
        self.word()
    }

    fn record(&mut self) -> Option<Record> {
        self.eat("{\"ttl\":")?;
        let ttl = self.number()?;
        self.eat(",\"data\":{")?;
        let kind = self.text()?;
        self.eat(":")?;
        let data = match kind {
            "A" => RecordData::A(self.parsed()?),
            "AAAA" => RecordData::Aaaa(self.parsed()?),
            "CNAME" => RecordData::Cname(self.text()?.into()),
            "MX" => {
                self.eat("[")?;
                let preference = u16::try_from(self.number()?).ok()?;
                self.eat(",")?;
                let exchange = self.text()?.into();
                self.eat("]")?;
                RecordData::Mx(preference, exchange)
            }
            "PTR" => RecordData::Ptr(self.text()?.into()),
            "TXT" => RecordData::Txt(self.text()?.into()),
            _ => return None,
        };
        self.eat("}}")?;
        Some(Record { ttl, data })
    }
}
