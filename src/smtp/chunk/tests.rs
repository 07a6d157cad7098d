//! Chunks to text: any split into chunks and reads gives the same message.

use proptest::prelude::*;

use super::*;

/// The message in chunks that end at `cuts`, each read in pieces of `piece` octets.
fn read(message: &[u8], cuts: &[usize], piece: usize, bare: BareNewline) -> Result<Vec<u8>, Fault> {
    let mut reader = ChunkReader::new(bare, Some(998));
    let mut out = Vec::new();
    let mut from = 0;
    let mut refused = None;
    let ends: Vec<usize> = cuts.iter().map(|cut| (*cut).min(message.len())).collect();
    for (index, end) in ends.iter().chain([&message.len()]).enumerate() {
        let end = (*end).max(from);
        let chunk = &message[from..end];
        from = end;
        reader.begin(chunk.len() as u64, index == ends.len());
        // What stands behind it is not the chunk's.
        let mut rest = [chunk, b"RSET\r\n"].concat();
        loop {
            let now = piece.min(rest.len());
            let read = reader.read(&rest[..now]);
            out.extend_from_slice(&read.chunk);
            refused = read.refused;
            let (consumed, ended) = (read.consumed, read.end);
            rest.drain(..consumed);
            if ended {
                break;
            }
        }
        assert_eq!(rest, b"RSET\r\n");
    }
    assert_eq!(reader.size(), message.len() as u64);
    refused.map_or(Ok(out), Err)
}

fn becomes(message: &[u8], expected: Result<&[u8], Fault>, bare: BareNewline) {
    let every: Vec<usize> = (0..message.len()).collect();
    for (cuts, piece) in [(&[][..], 4096), (&[], 1), (&every, 1), (&every, 4096)] {
        let found = read(message, cuts, piece, bare);
        assert_eq!(
            found.as_deref().map_err(|fault| *fault),
            expected,
            "{:?}",
            message.escape_ascii()
        );
    }
}

#[test]
fn text_becomes_what_data_carries() {
    for (message, data) in [
        (&b""[..], &b""[..]),
        (
            b"Subject: x\r\n\r\nHello\r\n",
            b"Subject: x\r\n\r\nHello\r\n",
        ),
        (b"no end", b"no end\r\n"),
        (b".\r\n", b"..\r\n"),
        (b"a\r\n.\r\nQUIT\r\n", b"a\r\n..\r\nQUIT\r\n"),
        (b"..\r\n.a\r\n", b"...\r\n..a\r\n"),
        (b"\r\n\r\n", b"\r\n\r\n"),
        (b"a\r\n.", b"a\r\n..\r\n"),
    ] {
        becomes(message, Ok(data), BareNewline::Reject);
        becomes(message, Ok(data), BareNewline::Normalize);
    }
}

#[test]
fn what_is_not_allowed_in_data_is_not_allowed_here() {
    for (message, fault) in [
        (&b"a\nb\r\n"[..], Fault::BodyBareLf),
        (b"a\r\n.\n", Fault::BodyBareLf),
        (b"a\rb\r\n", Fault::BodyBareCr),
        (b"a\r\r\n", Fault::BodyBareCr),
        (b"a\r", Fault::BodyBareCr),
        (b"a\0b\r\n", Fault::BodyNul),
    ] {
        becomes(message, Err(fault), BareNewline::Reject);
    }
    let long = "a".repeat(999);
    becomes(
        long.as_bytes(),
        Err(Fault::BodyLineTooLong),
        BareNewline::Reject,
    );
}

#[test]
fn bare_line_feeds_can_be_normalized() {
    becomes(
        b"a\n.\nb\n",
        Ok(b"a\r\n..\r\nb\r\n"),
        BareNewline::Normalize,
    );
    becomes(
        b"a\r\n\n.\r\n",
        Ok(b"a\r\n\r\n..\r\n"),
        BareNewline::Normalize,
    );
    for (message, fault) in [(&b"a\rb\n"[..], Fault::BodyBareCr), (b"\0", Fault::BodyNul)] {
        becomes(message, Err(fault), BareNewline::Normalize);
    }
}

#[test]
fn what_is_clean_is_not_copied() {
    let mut reader = ChunkReader::new(BareNewline::Reject, None);
    reader.begin(7, true);
    assert!(matches!(
        reader.read(b"Hello\r\n").chunk,
        Cow::Borrowed(b"Hello\r\n")
    ));
    reader.begin(u64::MAX, true);
    assert_eq!(reader.read(b"Hello").consumed, 5);
}

proptest! {
    #[test]
    fn any_chunks_give_the_same(
        message in prop::collection::vec(prop::sample::select(b"a.\r\n\0".to_vec()), 0..30),
        lines in any::<bool>(),
        cuts in prop::collection::vec(0_usize..60, 0..6),
        piece in 1_usize..5,
        normalize in any::<bool>(),
    ) {
        let message = match lines {
            // Mostly clean.
            true => message.iter().flat_map(|octet| match octet {
                b'\r' | b'\n' | 0 => b"\r\n".to_vec(),
                octet => vec![*octet],
            }).collect(),
            false => message,
        };
        let bare = if normalize { BareNewline::Normalize } else { BareNewline::Reject };
        let mut cuts = cuts;
        cuts.sort_unstable();
        let whole = read(&message, &[], 4096, bare);
        prop_assert_eq!(&whole, &read(&message, &cuts, piece, bare));
        if let Ok(data) = whole {
            // As DATA it has one end, behind it, and no flaw.
            let mut body = super::super::body::BodyReader::new(BareNewline::Reject);
            let sent = [&data[..], b".\r\n"].concat();
            let read = body.read(&sent);
            prop_assert!(read.end && read.refused.is_none() && read.consumed == sent.len());
        }
    }
}
