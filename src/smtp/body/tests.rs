//! Tests of the reader of mail data, against references that know nothing of its states.

use proptest::prelude::*;

use super::*;

/// What came of a whole input, read in pieces.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    emitted: Vec<u8>,
    consumed: usize,
    refused: Option<Fault>,
    end: bool,
    size: u64,
}

/// Reads `input` with the caller's buffer ending at each of `cuts` in turn, then whole.
fn read(mut reader: BodyReader, input: &[u8], cuts: &[usize]) -> Outcome {
    let mut outcome = Outcome::default();
    for end in cuts.iter().copied().chain([input.len()]) {
        let window = &input[outcome.consumed..end.max(outcome.consumed)];
        let step = reader.read(window);
        if outcome.refused.is_some() {
            assert_eq!(step.refused, outcome.refused, "the first fault stays");
        }
        if step.refused.is_some() {
            assert!(step.chunk.is_empty(), "nothing passes once refused");
        }
        if !step.end {
            assert!(
                window.len() - step.consumed <= 2,
                "more than CR, dot or dot CR left"
            );
        }
        outcome.emitted.extend_from_slice(&step.chunk);
        outcome.consumed += step.consumed;
        (outcome.refused, outcome.end) = (step.refused, step.end);
    }
    outcome.size = reader.size();
    outcome
}

fn reject(input: &[u8], cuts: &[usize]) -> Outcome {
    read(BodyReader::new(BareNewline::Reject), input, cuts)
}

fn normalize(input: &[u8], cuts: &[usize]) -> Outcome {
    read(BodyReader::new(BareNewline::Normalize), input, cuts)
}

fn find(input: &[u8], what: &[u8]) -> Option<usize> {
    input.windows(what.len()).position(|window| window == what)
}

/// Octets up to and with the true end.
fn true_end(input: &[u8]) -> Option<usize> {
    let framed = [b"\r\n", input].concat();
    find(&framed, b"\r\n.\r\n").map(|at| at + 5 - 2)
}

/// The first octet that is a bare LF, a bare CR or NUL. A CR that is the last octet is neither yet.
fn first_fault(input: &[u8]) -> Option<Fault> {
    (0..input.len()).find_map(|i| match input[i] {
        0 => Some(Fault::BodyNul),
        b'\n' if i == 0 || input[i - 1] != b'\r' => Some(Fault::BodyBareLf),
        b'\r' if input.get(i + 1).is_some_and(|next| *next != b'\n') => Some(Fault::BodyBareCr),
        _ => None,
    })
}

fn is_break(octet: u8) -> bool {
    matches!(octet, b'\r' | b'\n' | 0)
}

/// A dot alone between breaks of any kind, other than the true end's.
fn has_look_alike(input: &[u8], end: Option<usize>) -> bool {
    (0..input.len().saturating_sub(1)).any(|i| {
        input[i] == b'.'
            && (i == 0 || is_break(input[i - 1]))
            && is_break(input[i + 1])
            && Some(i + 3) != end
    })
}

/// Bare LF as CRLF, a dot behind a bare LF twice.
fn normalized(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for i in 0..input.len() {
        let bare_lf = |i: usize| input[i] == b'\n' && (i == 0 || input[i - 1] != b'\r');
        match input[i] {
            b'\n' if bare_lf(i) => out.extend(b"\r\n"),
            b'.' if i > 0 && bare_lf(i - 1) => out.extend(b".."),
            octet => out.push(octet),
        }
    }
    out
}

/// The most liberal reader there could be: CRLF, LF, CR and NUL all end a line, a lone dot ends a
/// message. Returns the octets of the first message, if it ends.
fn liberal_end(wire: &[u8]) -> Option<usize> {
    let mut start = 0;
    while let Some(length) = wire[start..].iter().position(|octet| is_break(*octet)) {
        let crlf = wire[start + length..].starts_with(b"\r\n");
        let next = start + length + if crlf { 2 } else { 1 };
        if &wire[start..start + length] == b"." {
            return Some(next);
        }
        start = next;
    }
    None
}

/// What goes to the backend holds one message for every reader, or none when there is no final dot.
fn assert_not_smuggled(outcome: &Outcome) {
    assert!(!outcome.emitted.contains(&0));
    assert_eq!(
        liberal_end(&outcome.emitted),
        None,
        "{}",
        outcome.emitted.escape_ascii()
    );
    if outcome.end && outcome.refused.is_none() {
        let wire = [&outcome.emitted[..], b".\r\n"].concat();
        assert_eq!(
            liberal_end(&wire),
            Some(wire.len()),
            "{}",
            wire.escape_ascii()
        );
        assert_eq!(first_fault(&wire), None);
    }
}

/// What the references say about one input.
struct Expected<'a> {
    input: &'a [u8],
    end: Option<usize>,
    /// The input without its end.
    data: &'a [u8],
    when_rejecting: Option<Fault>,
    refused_when_normalizing: bool,
}

impl<'a> Expected<'a> {
    fn of(input: &'a [u8]) -> Self {
        let end = true_end(input);
        let data = &input[..end.map_or(input.len(), |end| end - 3)];
        // A `.CR` behind a CRLF at the very end is no look-alike yet: it may become the true end.
        let open = end.is_none() && [b"\r\n", input].concat().ends_with(b"\r\n.\r");
        let judged = &input[..end.unwrap_or(input.len() - usize::from(open))];
        let never = |i| {
            matches!(
                first_fault(&data[i..]),
                Some(Fault::BodyBareCr | Fault::BodyNul)
            )
        };
        Self {
            input,
            end,
            data,
            when_rejecting: first_fault(data),
            refused_when_normalizing: (0..data.len()).any(never) || has_look_alike(judged, end),
        }
    }

    /// All that must hold for one way of splitting the input, in both modes.
    fn check(&self, cuts: &[usize]) {
        let outcome = reject(self.input, cuts);
        assert_eq!(outcome.refused, self.when_rejecting);
        self.check_passed(&outcome, <[u8]>::to_vec);

        let outcome = normalize(self.input, cuts);
        assert_eq!(outcome.refused.is_some(), self.refused_when_normalizing);
        self.check_passed(&outcome, normalized);
    }

    fn check_passed(&self, outcome: &Outcome, rewritten: fn(&[u8]) -> Vec<u8>) {
        assert_not_smuggled(outcome);
        assert_eq!(outcome.end, self.end.is_some());
        if let Some(end) = self.end {
            assert_eq!(outcome.consumed, end, "ends where CRLF.CRLF ends");
        }
        let expected = rewritten(&self.data[..outcome.consumed.min(self.data.len())]);
        if outcome.refused.is_some() {
            assert!(expected.starts_with(&outcome.emitted));
        } else {
            assert_eq!(outcome.emitted, expected);
        }
    }
}

/// Every string of up to 8 octets, every way of cutting it in two. Cut at 0 is the whole.
#[test]
fn exhaustive() {
    const LENGTH: u32 = 8;
    const WORKERS: usize = 4;
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            scope.spawn(move || {
                for length in 0..=LENGTH {
                    (worker..5usize.pow(length))
                        .step_by(WORKERS)
                        .for_each(|n| check_nth(length, n));
                }
            });
        }
    });
}

/// Checks the `n`th string of a length, with all its cuts.
fn check_nth(length: u32, n: usize) {
    const OCTETS: [u8; 5] = [b'\r', b'\n', b'.', b'a', 0];
    let input: Vec<u8> = (0..length)
        .map(|place| OCTETS[n / 5usize.pow(place) % 5])
        .collect();
    let expected = Expected::of(&input);
    for cut in 0..input.len().max(1) {
        let result = std::panic::catch_unwind(|| expected.check(&[cut]));
        assert!(result.is_ok(), "{} cut at {cut}", input.escape_ascii());
    }
}

/// The sequences of security.md 1.1 that are not an end: in Reject all are refused, and the true end
/// behind them is still the only end.
#[test]
fn smuggling_sequences() {
    use Fault::{BodyBareCr as Cr, BodyBareLf as Lf, BodyLookAlikeEnd as Dot, BodyNul as Nul};
    // Name, sequence, fault when rejecting, fault when normalising.
    let cases: [(&str, &[u8], Fault, Fault); 18] = [
        ("LF . LF", b"\n.\n", Lf, Dot),
        ("LF . CRLF", b"\n.\r\n", Lf, Dot),
        ("CRLF . LF", b"\r\n.\n", Lf, Dot),
        ("LF LF . LF LF", b"\n\n.\n\n", Lf, Dot),
        ("LF . CR", b"\n.\r", Lf, Dot),
        ("CRLF . CR", b"\r\n.\r", Cr, Dot),
        ("CR . CR", b"\r.\r", Cr, Cr),
        ("CR . LF", b"\r.\n", Cr, Cr),
        ("CR . CRLF", b"\r.\r\n", Cr, Cr),
        ("CRLF . CR CR LF", b"\r\n.\r\r\n", Cr, Dot),
        ("CR CR LF . CR CR LF", b"\r\r\n.\r\r\n", Cr, Cr),
        ("CRLF NUL . CRLF", b"\r\n\0.\r\n", Nul, Nul),
        ("CRLF . NUL CRLF", b"\r\n.\0\r\n", Nul, Dot),
        ("NUL CRLF . LF", b"\0\r\n.\n", Nul, Nul),
        ("LF CR . CR LF", b"\n\r.\r\n", Lf, Cr),
        ("CR LF . LF CR", b"\r\n.\n\r", Lf, Dot),
        ("LF . NUL", b"\n.\0", Lf, Dot),
        ("NUL . NUL", b"\0.\0", Nul, Nul),
    ];
    let smuggled = b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx";
    for before in ["Subject: x\r\n\r\ntext", "text", ""] {
        for (name, sequence, when_rejecting, when_normalizing) in cases {
            let input = [before.as_bytes(), sequence, smuggled, b"\r\n.\r\n"].concat();
            for (outcome, fault) in [
                (reject(&input, &[]), when_rejecting),
                (normalize(&input, &[]), when_normalizing),
            ] {
                assert_eq!(outcome.refused, Some(fault), "{before:?} {name}");
                assert!(outcome.end, "{before:?} {name}");
                assert_eq!(outcome.consumed, input.len(), "{before:?} {name}");
            }
        }
    }
}

#[test]
fn stray_cr_before_the_end_is_an_end_but_refused() {
    for input in [b"text\r\r\n.\r\n", b"tex\n\r\r\n.\r\n"] {
        for outcome in [reject(input, &[]), normalize(input, &[])] {
            assert!(outcome.end && outcome.consumed == input.len());
            assert!(outcome.refused.is_some());
        }
    }
}

#[test]
fn message_that_begins_with_a_look_alike_end() {
    for begin in [&b".\n"[..], b"\n.\n", b"\n.\r\n"] {
        let input = [begin, b"x\r\n.\r\n"].concat();
        let outcome = normalize(&input, &[]);
        assert_eq!(
            (outcome.refused, outcome.consumed),
            (Some(Fault::BodyLookAlikeEnd), input.len())
        );
        assert_eq!(reject(&input, &[]).refused, Some(Fault::BodyBareLf));
    }
}

#[test]
fn what_is_not_an_end_arrives_unchanged() {
    let texts = [
        "a\r\n. \r\nb\r\n",
        "a\r\n .\r\nb\r\n",
        "a\r\n..\r\nb\r\n",
        "a\r\n.\u{b}\r\nb\r\n",
        "a\r\n\u{c}.\r\nb\r\n",
        "a\r\n.\u{85}\r\nb\r\n",
        "a\r\n\u{2028}.\u{2028}\r\nb\r\n",
        "..a\r\n",
        ".a\r\n",
        "a.\r\n",
    ];
    for text in texts {
        let input = [text.as_bytes(), b".\r\nQUIT\r\n"].concat();
        for outcome in [reject(&input, &[]), normalize(&input, &[])] {
            assert_eq!(outcome.emitted, text.as_bytes());
            assert!(outcome.end && outcome.refused.is_none());
            assert_eq!(outcome.consumed, text.len() + 3, "the next command is left");
        }
    }
}

#[test]
fn empty_message_ends_at_once() {
    for outcome in [reject(b".\r\n", &[1, 2]), normalize(b".\r\n", &[1, 2])] {
        assert_eq!(
            outcome,
            Outcome {
                consumed: 3,
                end: true,
                ..Outcome::default()
            }
        );
    }
}

#[test]
fn nothing_is_used_after_the_end() {
    let mut reader = BodyReader::new(BareNewline::Reject);
    assert_eq!(reader.read(b"a\r\n.\r\n").outcome(), Some(BodyEnd::Clean));
    let again = reader.read(b"b\n.\r\n");
    assert_eq!((again.consumed, again.chunk.len(), again.end), (0, 0, true));
}

#[test]
fn ordinary_mail_is_passed_in_place() {
    let input = b"Subject: x\r\n\r\n..dots\r\ntext\r\n.\r\n";
    for bare in [BareNewline::Reject, BareNewline::Normalize] {
        let step = BodyReader::new(bare).read(input);
        assert!(matches!(step.chunk, Cow::Borrowed(chunk) if chunk == &input[..input.len() - 3]));
    }
}

#[test]
fn normalizing_writes_crlf_and_stuffs() {
    let outcome = normalize(b"a\nb\n.c\n..d\r\n.e\r\n.\r\n", &[]);
    assert_eq!(outcome.emitted, b"a\r\nb\r\n..c\r\n...d\r\n.e\r\n");
    assert!(outcome.end && outcome.refused.is_none());
}

#[test]
fn size_counts_neither_stuffing_nor_the_final_dot() {
    assert_eq!(reject(b"ab\r\n..c\r\n.\r\n", &[]).size, 8);
    assert_eq!(reject(b"..\r\n.\r\nMAIL", &[1]).size, 3);
    assert_eq!(
        reject(b"a\nb\r\n.\r\n", &[]).size,
        5,
        "a refused message is counted too"
    );
}

#[test]
fn line_limit() {
    let read = |input: &[u8], cuts: &[usize]| {
        read(
            BodyReader::new(BareNewline::Normalize).with_line_max(Some(3)),
            input,
            cuts,
        )
        .refused
    };
    for cut in 0..9 {
        assert_eq!(read(b"abc\r\nabc\nabc\r\n.\r\n", &[cut]), None);
        assert_eq!(read(b"abcd\r\n.\r\n", &[cut]), Some(Fault::BodyLineTooLong));
        assert_eq!(read(b"abcd\0\n.\r\n", &[cut]), Some(Fault::BodyLineTooLong));
        assert_eq!(
            read(b"a\r\n.bcd\r\n.\r\n", &[cut]),
            Some(Fault::BodyLineTooLong)
        );
        assert_eq!(read(b"abc\0d\r\n.\r\n", &[cut]), Some(Fault::BodyNul));
    }
}

fn body_like() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(vec![
        "\r\n",
        "\r\n",
        "\r\n",
        "\n",
        "\r",
        "\0",
        ".",
        "..",
        "\r\n.\r\n",
        "text",
        "From: a\r\n",
        "é",
    ]);
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat().into_bytes())
}

proptest! {
    #[test]
    fn any_split_reads_the_same(
        input in prop_oneof![body_like(), prop::collection::vec(any::<u8>(), 0..300)],
        mut cuts in prop::collection::vec(any::<usize>(), 0..12),
        line_max in prop::option::of(0usize..12),
    ) {
        cuts.iter_mut().for_each(|cut| *cut %= input.len() + 1);
        cuts.sort_unstable();
        Expected::of(&input).check(&cuts);
        for bare in [BareNewline::Reject, BareNewline::Normalize] {
            let reader = || BodyReader::new(bare).with_line_max(line_max);
            let mut split = read(reader(), &input, &cuts);
            let mut whole = read(reader(), &input, &[]);
            if split.refused.is_some() {
                split.emitted.clear();
                whole.emitted.clear();
            }
            prop_assert_eq!(split, whole);
        }
    }
}
