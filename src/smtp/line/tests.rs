//! Lines and the faults in them, however the input is cut.

use proptest::prelude::*;

use super::*;

/// What a reader gives for `input` when it comes in pieces of the given lengths, in a circle. The
/// last entry is what stays unread.
fn lines(input: &[u8], pieces: &[usize]) -> (Vec<Result<Vec<u8>, Fault>>, Vec<u8>) {
    let mut reader = LineReader::new();
    let (mut buffer, mut found) = (Vec::new(), Vec::new());
    let mut pieces = pieces.iter().copied().cycle();
    let mut rest = input;
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(pieces.next().unwrap().clamp(1, rest.len()));
        buffer.extend_from_slice(piece);
        rest = later;
        loop {
            let step = reader.next(&buffer);
            let line = step
                .line
                .map(|line| line.map(|line| line.as_bytes().to_vec()));
            buffer.drain(..step.consumed);
            let Some(line) = line else { break };
            found.push(line);
        }
    }
    (found, buffer)
}

fn whole(input: &[u8]) -> Vec<Result<Vec<u8>, Fault>> {
    lines(input, &[usize::MAX]).0
}

fn good(text: &str) -> Result<Vec<u8>, Fault> {
    Ok(text.as_bytes().to_vec())
}

#[test]
fn only_crlf_ends_a_line() {
    assert_eq!(
        whole(b"EHLO a\r\nQUIT\r\n\r\n"),
        [good("EHLO a"), good("QUIT"), good("")]
    );
    assert_eq!(whole(b"EHLO a"), []);
    assert_eq!(whole(b"EHLO a\r"), []);
    assert_eq!(
        whole(b"EHLO a\nQUIT\r\n"),
        [Err(Fault::BareLf), good("QUIT")]
    );
    assert_eq!(whole(b"\n\n"), [Err(Fault::BareLf), Err(Fault::BareLf)]);
    assert_eq!(
        whole(b"EHLO a\rQUIT\r\nNOOP\r\n"),
        [Err(Fault::BareCr), good("NOOP")]
    );
    assert_eq!(
        whole(b"EHLO a\r\r\nNOOP\r\n"),
        [Err(Fault::BareCr), good("NOOP")]
    );
    assert_eq!(
        whole(b"EHLO a\r\n\rNOOP\r\n"),
        [good("EHLO a"), Err(Fault::BareCr)]
    );
}

#[test]
fn control_characters_are_told_at_once() {
    assert_eq!(whole(b"EHLO a\0"), [Err(Fault::Nul)]);
    assert_eq!(
        whole(b"EHLO a\x1b[0m\0\nb\r\nQUIT\r\n"),
        [Err(Fault::ControlCharacter), good("QUIT")]
    );
    for octet in (1..=31)
        .chain([127])
        .filter(|octet| !b"\t\r\n".contains(octet))
    {
        assert_eq!(
            whole(&[b'a', octet]),
            [Err(Fault::ControlCharacter)],
            "{octet}"
        );
    }
    assert_eq!(
        whole("MAIL FROM:<ü@b>\r\n".as_bytes()),
        [good("MAIL FROM:<ü@b>")]
    );
}

#[test]
fn white_space_at_the_end_is_dropped_and_tab_inside_is_not() {
    assert_eq!(whole(b"QUIT \r\nNOOP\t \r\n"), [good("QUIT"), good("NOOP")]);
    assert_eq!(
        whole(b"EHLO\ta\r\nQUIT\r\n"),
        [Err(Fault::ControlCharacter), good("QUIT")]
    );
    assert_eq!(whole(b" \r\n"), [good("")]);
    assert_eq!(whole(b" QUIT\r\n"), [good(" QUIT")]);
}

#[test]
fn a_long_line_is_one_fault() {
    let fits = [vec![b'a'; limits::COMMAND_LINE - 2], b"\r\n".to_vec()].concat();
    assert_eq!(fits.len(), limits::COMMAND_LINE);
    assert_eq!(whole(&fits), [Ok(vec![b'a'; limits::COMMAND_LINE - 2])]);
    for more in 1..4 {
        let long = [vec![b'a'; more], fits.clone(), b"QUIT\r\n".to_vec()].concat();
        assert_eq!(whole(&long), [Err(Fault::LineTooLong), good("QUIT")]);
    }
    let with_lf = [vec![b'a'; 5000], b"\nMAIL\n\r\nQUIT\r\n".to_vec()].concat();
    assert_eq!(whole(&with_lf), [Err(Fault::LineTooLong), good("QUIT")]);
}

#[test]
fn a_line_without_end_is_fatal_once() {
    let mut flood = vec![b'a'; limits::ENDLESS_LINE];
    assert_eq!(whole(&flood), [Err(Fault::LineTooLong)]);
    flood.extend_from_slice(&[b'a'; 100_000]);
    flood.extend_from_slice(b"\r\nQUIT\r\n");
    let expected = [
        Err(Fault::LineTooLong),
        Err(Fault::EndlessLine),
        good("QUIT"),
    ];
    assert_eq!(whole(&flood), expected);
    assert_eq!(lines(&flood, &[1460]).0, expected);
    assert!(Fault::EndlessLine.is_fatal() && !Fault::LineTooLong.is_fatal());
}

#[test]
fn auth_has_room() {
    let auth = [
        b"auth PLAIN ".to_vec(),
        vec![b'a'; 12_275],
        b"\r\n".to_vec(),
    ]
    .concat();
    assert_eq!(auth.len(), limits::AUTH_LINE);
    assert!(matches!(whole(&auth).as_slice(), [Ok(_)]));
    assert_eq!(whole(&[auth, b"\r\n".to_vec()].concat()).len(), 2);
    let mut reader = LineReader::new();
    reader.set_limit(limits::AUTH_LINE);
    let line = [vec![b'a'; 12_286], b"\r\n".to_vec()].concat();
    assert!(matches!(reader.next(&line).line, Some(Ok(_))));
    assert_eq!(
        reader.next(&[b'a'; 12_288]).line,
        Some(Err(Fault::LineTooLong))
    );
}

#[test]
fn foreign_protocols() {
    let foreign = |protocol| vec![Err(Fault::Foreign(protocol))];
    assert_eq!(whole(b"\x16\x03\x01\x02\0\x01"), foreign(Protocol::Tls));
    assert_eq!(whole(b"\x03\0\0\x13\x0e\xe0"), foreign(Protocol::Rdp));
    assert_eq!(whole(b"\x04\x01\0\x19"), foreign(Protocol::Socks));
    assert_eq!(whole(b"\x05\x01\0"), foreign(Protocol::Socks));
    assert_eq!(whole(b"GET / HTTP/1.0\n"), foreign(Protocol::Http));
    assert_eq!(whole(b"SSH-2.0-x\n"), foreign(Protocol::Ssh));
    assert_eq!(whole(b"Subject: hi\n"), foreign(Protocol::HeaderLine));
    assert_eq!(whole(b"Host:\tx\r\n"), foreign(Protocol::HeaderLine));
    assert_eq!(whole(b"\x16"), []);
    assert_eq!(whole(b"\x16\r\n"), [Err(Fault::ControlCharacter)]);
    assert_eq!(whole(b"\x05\0"), [Err(Fault::ControlCharacter)]);
}

#[test]
fn a_bare_lf_does_not_wait_for_more() {
    let mut reader = LineReader::new();
    let step = reader.next(b"EHLO a\n");
    assert_eq!(
        step,
        LineStep {
            consumed: 7,
            line: Some(Err(Fault::BareLf))
        }
    );
}

/// Mostly the octets that matter, in short and long runs.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let octet = prop_oneof![
        6 => prop::sample::select(b"\r\n\t \0\x16\x03\x04\x05\x01a:G".to_vec()),
        1 => any::<u8>(),
    ];
    let piece = prop_oneof![
        8 => prop::collection::vec(octet, 0..12),
        4 => Just(b"\r\n".to_vec()),
        2 => prop::sample::select(vec!["GET /", "SSH-2", "auth x", "Subject: x", "EHLO a"])
            .prop_map(|text| text.as_bytes().to_vec()),
        1 => (4090usize..4100).prop_map(|length| vec![b'x'; length]),
        1 => (60_000usize..66_000).prop_map(|length| vec![b'y'; length]),
    ];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn every_split_gives_the_same_lines(
        input in input(),
        pieces in prop::collection::vec(1usize..3000, 1..6),
    ) {
        let once = lines(&input, &[usize::MAX]);
        prop_assert_eq!(&lines(&input, &pieces), &once);
        if input.len() < 5000 {
            prop_assert_eq!(&lines(&input, &[1]), &once);
        }
    }

    #[test]
    fn lines_hold_no_control_characters(input in input()) {
        for line in whole(&input).into_iter().flatten() {
            prop_assert!(!line.iter().any(u8::is_ascii_control));
            prop_assert!(line.len() <= limits::AUTH_LINE - 2);
        }
    }
}

#[test]
fn short_input_in_every_cut() {
    let alphabet = b"\r\n\0\ta";
    for number in 0..5usize.pow(6) {
        let input: Vec<u8> = (0..6)
            .map(|at| alphabet[number / 5usize.pow(at) % 5])
            .collect();
        let once = lines(&input, &[usize::MAX]);
        for cut in 1..6 {
            assert_eq!(
                lines(&input, &[cut, usize::MAX]),
                once,
                "{input:?} cut at {cut}"
            );
        }
    }
}
