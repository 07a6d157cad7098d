//! Events for systemd's journal in its own protocol: a datagram for each, with a field for each value.
//!
//! <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>. `MESSAGE` is the line as it would stand in the text form, the fields beside
//! it are named `GATEPOST_ID`, `GATEPOST_CLIENT` and so on, so that none is taken for one of the journal's own. Written here
//! because what there is writes to the socket where the event happens: a journal that stalls would hold up sessions.

use std::fmt::Debug;
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer};

use super::{GATHER, field_text};

/// Where the journal listens.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// Octets of a field's name that the journal takes.
const NAME: usize = 64;

/// Makes an entry of each event and hands it to a writer, whole.
pub(super) struct Native<W>(pub(super) W);

impl<S: Subscriber, W: for<'a> MakeWriter<'a> + 'static> Layer<S> for Native<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut entry = Entry::default();
        event.record(&mut entry);
        // What does not fit into the queue is counted there.
        let _ = self
            .0
            .make_writer()
            .write_all(&entry.finish(*event.metadata().level()));
    }
}

#[derive(Default)]
struct Entry {
    message: String,
    octets: Vec<u8>,
}

impl Entry {
    fn finish(mut self, level: Level) -> Vec<u8> {
        let message = std::mem::take(&mut self.message);
        self.put("MESSAGE", &message);
        self.put("PRIORITY", priority(level));
        self.put("SYSLOG_IDENTIFIER", "gatepost");
        self.octets
    }

    fn note(&mut self, field: &Field, shown: &dyn Debug, value: &str) {
        if !self.message.is_empty() {
            self.message.push(' ');
        }
        // Writing to a string does not fail.
        let _ = field_text(&mut self.message, field.name(), shown);
        if field.name() != "message" {
            self.put(&field_name(field.name()), value);
        }
    }

    /// Name and value with its length, so that the value may hold what it likes.
    fn put(&mut self, name: &str, value: &str) {
        let length = u64::try_from(value.len()).unwrap_or(u64::MAX);
        self.octets.extend_from_slice(name.as_bytes());
        self.octets.push(b'\n');
        self.octets.extend_from_slice(&length.to_le_bytes());
        self.octets.extend_from_slice(value.as_bytes());
        self.octets.push(b'\n');
    }
}

impl Visit for Entry {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.note(field, &value, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.note(field, value, &format!("{value:?}"));
    }
}

fn field_name(name: &str) -> String {
    let letters = name.chars().map(|c| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_uppercase(),
        false => '_',
    });
    "GATEPOST_".chars().chain(letters).take(NAME).collect()
}

/// As in syslog(3).
const fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        Level::DEBUG | Level::TRACE => "7",
    }
}

/// The journal's socket, each write a datagram.
#[derive(Debug)]
pub(super) struct Datagrams {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Datagrams {
    /// The socket at `path`, if somebody listens there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        UnixDatagram::unbound()?.connect(path)?;
        Ok(Self {
            socket: UnixDatagram::unbound()?,
            path: path.to_owned(),
        })
    }
}

impl Write for Datagrams {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        // By name each time: the journal may have been started anew. What it does not take now is gone, as it would be if
        // standard error went there.
        let _ = self.socket.send_to(entry, &self.path);
        Ok(entry.len())
    }

    /// Called when no entry waits; see [`GATHER`].
    fn flush(&mut self) -> io::Result<()> {
        std::thread::sleep(GATHER);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// The fields of an entry.
    fn fields(mut entry: &[u8]) -> BTreeMap<String, String> {
        let mut fields = BTreeMap::new();
        while let Some(end) = entry.iter().position(|octet| *octet == b'\n') {
            let (name, rest) = (&entry[..end], &entry[end + 1..]);
            let length = usize::try_from(u64::from_le_bytes(rest[..8].try_into().unwrap()));
            let (value, rest) = rest[8..].split_at(length.unwrap());
            assert_eq!(rest[0], b'\n');
            let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
            fields.insert(text(name), text(value));
            entry = &rest[1..];
        }
        fields
    }

    #[test]
    fn an_event_is_a_datagram_with_a_field_for_each_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        let writer = Mutex::new(Datagrams::open(&path).unwrap());
        let subscriber = tracing_subscriber::registry().with(Native(writer));
        let hostile = "a\nPRIORITY=0\nMESSAGE=forged";
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(id = %"abc", helo = hostile, took_ms = 5, "session");
            tracing::error!("two words");
        });
        let mut octets = [0; 4096];
        let length = journal.recv(&mut octets).unwrap();
        let told = fields(&octets[..length]);
        let expected = [
            ("GATEPOST_HELO", hostile),
            ("GATEPOST_ID", "abc"),
            ("GATEPOST_TOOK_MS", "5"),
            (
                "MESSAGE",
                "session id=abc helo=\"a\\nPRIORITY=0\\nMESSAGE=forged\" took_ms=5",
            ),
            ("PRIORITY", "6"),
            ("SYSLOG_IDENTIFIER", "gatepost"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(told, BTreeMap::from(expected));
        let length = journal.recv(&mut octets).unwrap();
        let told = fields(&octets[..length]);
        assert_eq!((&*told["MESSAGE"], &*told["PRIORITY"]), ("two words", "3"));
    }

    #[test]
    fn a_journal_that_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        assert!(Datagrams::open(&path).is_err());
        // One that goes later costs its entries, and nothing else.
        let journal = UnixDatagram::bind(&path).unwrap();
        let mut writer = Datagrams::open(&path).unwrap();
        drop(journal);
        assert_eq!(writer.write(b"entry").unwrap(), 5);
        std::fs::remove_file(&path).unwrap();
        let again = UnixDatagram::bind(&path).unwrap();
        writer.write_all(b"entry").unwrap();
        assert_eq!(again.recv(&mut [0; 16]).unwrap(), 5);
    }
}
