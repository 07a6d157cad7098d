//! What arrived behind the server under test, read from the Maildir of its backend.

use std::path::Path;

use crate::measure::trace::Arrival;

/// Octets of a message in which its head is looked for.
const HEAD: usize = 64 * 1024;

/// All messages with the mark of a player. `recipients` is the header field, lower case with its colon, in which the
/// backend wrote whom it delivered for.
pub(super) fn read(folder: &Path, recipients: &str) -> anyhow::Result<Vec<Arrival>> {
    let mut arrived = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let octets = std::fs::read(entry?.path())?;
        let head = octets.get(..octets.len().min(HEAD)).unwrap_or_default();
        arrived.extend(arrival(&String::from_utf8_lossy(head), recipients));
    }
    arrived.sort_unstable();
    Ok(arrived)
}

fn arrival(text: &str, recipients: &str) -> Option<Arrival> {
    let mut mark = None;
    let mut to = Vec::new();
    let mut in_recipients = false;
    for line in text.lines().take_while(|line| !line.is_empty()) {
        let folded = line.starts_with([' ', '\t']);
        in_recipients = match folded {
            true => in_recipients,
            false => line.to_ascii_lowercase().starts_with(recipients),
        };
        if in_recipients {
            let names = line
                .get(if folded { 0 } else { recipients.len() }..)
                .unwrap_or_default();
            let names = names
                .split(',')
                .map(|name| name.trim().trim_matches(['<', '>']));
            to.extend(names.filter(|name| !name.is_empty()).map(str::to_owned));
        }
        if let Some(found) = line.strip_prefix("X-Errand: ") {
            mark = mark.or_else(|| numbers(found));
        }
    }
    let [errand, attempt, envelope] = mark?;
    Some(Arrival {
        errand,
        attempt,
        envelope,
        to,
    })
}

fn numbers(text: &str) -> Option<[u32; 3]> {
    let mut parts = text.trim().splitn(3, '.').map(|part| part.parse().ok());
    Some([parts.next()??, parts.next()??, parts.next()??])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_and_folded_recipients_are_read() {
        let text = "Envelope-to: a@b.example,\n c@b.example\nX-Errand: 7.1.2\nSubject: x\n\nX-Errand: 9.9.9\n";
        let arrival = arrival(text, "envelope-to:").unwrap();
        assert_eq!(
            (arrival.errand, arrival.attempt, arrival.envelope),
            (7, 1, 2)
        );
        assert_eq!(arrival.to, ["a@b.example", "c@b.example"]);
        assert_eq!(super::arrival("Subject: x\n\n", "envelope-to:"), None);
    }
}
