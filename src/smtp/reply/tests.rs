//! Tests of writing and reading replies.

use proptest::prelude::*;

use super::*;

fn written(reply: &Reply) -> String {
    let mut out = Vec::new();
    reply.write(&mut out);
    String::from_utf8(out).unwrap()
}

fn read(input: &[u8]) -> Result<(usize, Option<Reply>), BadReply> {
    ReplyReader::new().next(input)
}

#[test]
fn enhanced_code_stands_on_every_line() {
    let reply = Reply::new(550, Some((5, 7, 1)), "No")
        .with_line("Really")
        .with_line("");
    assert_eq!(
        written(&reply),
        "550-5.7.1 No\r\n550-5.7.1 Really\r\n550 5.7.1 \r\n"
    );
    let none = Reply {
        code: 250,
        enhanced: None,
        lines: Vec::new(),
    };
    assert_eq!(written(&none), "250 \r\n");
}

#[test]
fn only_printable_ascii_is_written() {
    let reply = Reply::new(250, None, "a\r\n550 b\0\u{1b}\t\u{7f}ü€~");
    assert_eq!(written(&reply), "250 a??550 b??????~\r\n");
}

#[test]
fn long_line_is_cut_and_the_suffix_stays() {
    let mut reply = Reply::new(550, Some((5, 999, 999)), "ü".repeat(600));
    reply.append(" (id)");
    let text = written(&reply);
    assert!(text.len() <= 512, "{}", text.len());
    assert!(text.ends_with("? (id)\r\n"), "{text}");
    let long = written(&Reply::new(250, None, "x".repeat(2000)));
    assert_eq!(long.len(), 512);
    assert!(long.ends_with("x\r\n"));
}

#[test]
fn missing_enhanced_code_is_filled_by_class() {
    let mut replies = [250, 354, 451, 550].map(|code| Reply::new(code, None, "x"));
    replies.iter_mut().for_each(Reply::ensure_enhanced);
    let codes = replies.map(|reply| reply.enhanced.map(|code| code.to_string()));
    assert_eq!(
        codes,
        [Some("2.0.0"), None, Some("4.0.0"), Some("5.0.0")].map(|c| c.map(str::to_owned))
    );
    let mut kept = Reply::new(550, Some((5, 1, 1)), "x");
    kept.ensure_enhanced();
    assert_eq!(kept, Reply::new(550, Some((5, 1, 1)), "x"));
}

#[test]
fn enhanced_codes() {
    for good in ["2.0.0", "4.7.1", "5.6.11", "5.999.999"] {
        assert_eq!(EnhancedCode::parse(good).unwrap().to_string(), good);
    }
    for bad in [
        "", "2", "2.0", "2.0.0.0", "3.0.0", "2..0", "2.0.1000", "2.00.1", "2.0.x", "+2.0.0",
    ] {
        assert_eq!(EnhancedCode::parse(bad), None, "{bad}");
    }
}

#[test]
fn serde_round_trip() {
    let reply = Reply::new(451, Some((4, 7, 1)), "Wait").with_line("more");
    let text = serde_json::to_string(&reply).unwrap();
    assert_eq!(
        text,
        r#"{"code":451,"enhanced":"4.7.1","lines":["Wait","more"]}"#
    );
    assert_eq!(serde_json::from_str::<Reply>(&text).unwrap(), reply);
    assert!(
        serde_json::from_str::<Reply>(r#"{"code":250,"enhanced":"6.0.0","lines":[]}"#).is_err()
    );
}

#[test]
fn reads_replies_one_by_one() {
    let input = b"250-mx\r\n250-SIZE 5\r\n250 HELP\r\n221 2.0.0 Bye\r\n35";
    let (used, reply) = read(input).unwrap();
    let expected = Reply::new(250, None, "mx")
        .with_line("SIZE 5")
        .with_line("HELP");
    assert_eq!(reply, Some(expected));
    let (more, reply) = read(&input[used..]).unwrap();
    assert_eq!(reply, Some(Reply::new(221, Some((2, 0, 0)), "Bye")));
    assert_eq!(read(&input[used + more..]), Ok((0, None)));
}

#[test]
fn reads_a_code_alone_and_an_empty_text() {
    assert_eq!(read(b"250\r\n"), Ok((5, Some(Reply::new(250, None, "")))));
    assert_eq!(read(b"250 \r\n"), Ok((6, Some(Reply::new(250, None, "")))));
    assert_eq!(
        read(b"250 2.0.0\r\n"),
        Ok((11, Some(Reply::new(250, Some((2, 0, 0)), ""))))
    );
}

#[test]
fn enhanced_code_of_another_class_is_text() {
    let (_, reply) = read(b"250 5.0.0 odd\r\n").unwrap();
    assert_eq!(reply, Some(Reply::new(250, None, "5.0.0 odd")));
    let (_, reply) = read(b"550-5.1.1 one\r\n550-5.1.2 two\r\n550 5.1.1 three\r\n").unwrap();
    let expected = Reply::new(550, Some((5, 1, 1)), "one")
        .with_line("5.1.2 two")
        .with_line("three");
    assert_eq!(reply, Some(expected));
}

#[test]
fn text_is_cleaned() {
    let (_, reply) = read(b"250 a\x1b[2J\x07\t\x7f\xc3\xbc\r\n").unwrap();
    assert_eq!(reply, Some(Reply::new(250, None, "a?[2J?????")));
}

#[test]
fn what_is_not_a_reply_is_refused() {
    let cases: [(&[u8], BadReply); 16] = [
        (b"2\r\n", BadReply::Code),
        (b"25\r\n", BadReply::Code),
        (b"25 x\r\n", BadReply::Code),
        (b"\r\n", BadReply::Code),
        (b"999 x\r\n", BadReply::Code),
        (b"199 x\r\n", BadReply::Code),
        (b"600 x\r\n", BadReply::Code),
        (b" 250 x\r\n", BadReply::Code),
        (b"SSH-2.0-x\r\n", BadReply::Code),
        (b"2500 x\r\n", BadReply::Separator),
        (b"250_x\r\n", BadReply::Separator),
        (b"250\n", BadReply::Separator),
        (b"250 x\n", BadReply::BareLf),
        (b"250 x\ry\r\n", BadReply::BareCr),
        (b"250 x\0\r\n", BadReply::Nul),
        (b"250-a\r\n251 b\r\n", BadReply::MixedCodes),
    ];
    for (input, fault) in cases {
        assert_eq!(read(input), Err(fault), "{}", input.escape_ascii());
    }
}

#[test]
fn limits_hold() {
    let line = |text: usize| [b"250 ".as_slice(), &vec![b'x'; text], b"\r\n"].concat();
    assert!(read(&line(2048 - 6)).unwrap().1.is_some());
    assert_eq!(read(&line(2048 - 5)), Err(BadReply::LineTooLong));
    assert_eq!(read(&line(1 << 20)[..2047]), Ok((0, None)));
    assert_eq!(read(&line(1 << 20)[..2048]), Err(BadReply::LineTooLong));

    let lines = |count: usize| [b"250-x\r\n".repeat(count - 1), b"250 x\r\n".to_vec()].concat();
    assert_eq!(read(&lines(128)).unwrap().1.unwrap().lines.len(), 128);
    assert_eq!(read(&lines(129)), Err(BadReply::TooManyLines));
    assert_eq!(
        read(&b"250-x\r\n".repeat(100_000)),
        Err(BadReply::TooManyLines)
    );

    let wide = [b"250-".as_slice(), &[b'x'; 1018], b"\r\n"].concat();
    assert_eq!(wide.len(), 1024);
    let (used, reply) = read(&wide.repeat(64)).unwrap();
    assert_eq!((used, reply), (64 * 1024, None));
    assert_eq!(read(&wide.repeat(65)), Err(BadReply::TooLong));
}

/// What a reader makes of the input given piece by piece.
fn in_pieces(input: &[u8], cuts: &[usize]) -> (Vec<Reply>, Option<BadReply>) {
    let mut reader = ReplyReader::new();
    let (mut replies, mut start) = (Vec::new(), 0);
    for end in cuts
        .iter()
        .map(|cut| cut % (input.len() + 1))
        .chain([input.len()])
    {
        loop {
            let window = &input[start..end.max(start)];
            match reader.next(window) {
                Err(bad) => return (replies, Some(bad)),
                Ok((used, reply)) => {
                    start += used;
                    let Some(reply) = reply else { break };
                    replies.push(reply);
                }
            }
        }
    }
    (replies, None)
}

fn reply_like() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(vec![
        "250",
        "250 ",
        "250-",
        "550 5.1.1 ",
        "550-",
        "451",
        "\r\n",
        "\r\n",
        "\r\n",
        "\r",
        "\n",
        "\0",
        "x",
        "2.0.0 ",
        "é",
    ]);
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat().into_bytes())
}

proptest! {
    #[test]
    fn any_split_reads_the_same(
        input in prop_oneof![reply_like(), prop::collection::vec(any::<u8>(), 0..200)],
        mut cuts in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        cuts.iter_mut().for_each(|cut| *cut %= input.len() + 1);
        cuts.sort_unstable();
        prop_assert_eq!(in_pieces(&input, &cuts), in_pieces(&input, &[]));
    }

    #[test]
    fn what_is_written_is_read(
        code in 200u16..600,
        enhanced in prop::option::of((0u16..1000, 0u16..1000)),
        mut lines in prop::collection::vec("[ -~]{0,300}", 1..5),
    ) {
        let class = u8::try_from(code / 100).unwrap();
        let enhanced = enhanced.filter(|_| class != 3);
        if enhanced.is_none() {
            // Nothing that looks like an enhanced code.
            lines = lines.into_iter().map(|line| line.replace('.', ":")).collect();
        }
        let reply = Reply {
            code,
            enhanced: enhanced.map(|(subject, detail)| EnhancedCode { class, subject, detail }),
            lines: lines.into_iter().map(Cow::Owned).collect(),
        };
        let wire = written(&reply);
        prop_assert_eq!(read(wire.as_bytes()), Ok((wire.len(), Some(reply))));
    }
}

#[test]
fn sum_of_octets_is_per_reply() {
    let mut reader = ReplyReader::new();
    let line = [b"250 ".as_slice(), &[b'x'; 1018], b"\r\n"].concat();
    for _ in 0..100 {
        assert!(reader.next(&line).unwrap().1.is_some());
    }
}
