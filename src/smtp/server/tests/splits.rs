//! Properties of the receiving machine: how the input is cut makes no difference, and no input panics.

use proptest::prelude::*;

use super::*;

/// Reads `input` in pieces, answering all events in the same way; the events as text, mail data
/// joined.
fn events(input: &[u8], cuts: &[usize]) -> (Vec<String>, usize) {
    let mut server = greeted();
    server.set_bare_newline(BareNewline::Normalize);
    let (mut events, mut data, mut start) = (Vec::new(), Vec::new(), 0);
    for end in cuts.iter().copied().chain([input.len()]) {
        loop {
            let step = server.next(&input[start..end.max(start)]);
            start += step.consumed;
            let (text, verb) = match step.event {
                Event::NeedMore => break,
                Event::Command(command) => (format!("{command:?}"), Some(command.verb())),
                Event::Fault(fault) => (format!("{fault:?}"), None),
                Event::AuthLine(line) => {
                    (line.as_bytes().escape_ascii().to_string(), Some(Verb::Noop))
                }
                Event::Body(body) => {
                    data.extend_from_slice(&body.chunk);
                    let Some(outcome) = body.outcome() else {
                        continue;
                    };
                    let clean = outcome == BodyEnd::Clean;
                    let data = std::mem::take(&mut data);
                    let data = if clean {
                        data.escape_ascii().to_string()
                    } else {
                        String::new()
                    };
                    (format!("{outcome:?} {data}"), Some(Verb::EndOfData))
                }
            };
            events.push(text);
            match verb {
                Some(verb) => answer(&mut server, verb, willing(verb)),
                None => server.refuse(&Reply::new(500, None, "x"), &mut Vec::new()),
            }
        }
    }
    (events, start)
}

fn dialogue_like() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(vec![
        "EHLO c.example\r\n",
        "EHLO c.example\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n",
        "MAIL FROM:<>\r\n",
        "RCPT TO:<c@d>\r\n",
        "DATA\r\n",
        "text\r\n",
        ".\r\n",
        "..x\r\n",
        "\n.\n",
        "\r",
        "\n",
        "\0",
        "é",
        "RSET\r\n",
        "NOOP x\r\n",
        "AUTH PLAIN\r\n",
        "GET / HTTP/1.1\r\n",
        "Host: x\r\n",
        "EHL",
        "\t",
        " ",
    ]);
    prop::collection::vec(part, 0..30).prop_map(|parts| parts.concat().into_bytes())
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(
        input in prop_oneof![4 => dialogue_like(), 1 => prop::collection::vec(any::<u8>(), 0..300)],
        mut cuts in prop::collection::vec(any::<usize>(), 0..10),
    ) {
        cuts.iter_mut().for_each(|cut| *cut %= input.len() + 1);
        cuts.sort_unstable();
        prop_assert_eq!(events(&input, &cuts), events(&input, &[]));
    }

    #[test]
    fn judging_does_not_panic(waiting in prop::collection::vec(any::<u8>(), 0..20)) {
        for verb in Verb::ALL {
            let judged = greeted().judge_waiting(verb, &waiting);
            let quit = waiting.get(..4).is_some_and(|head| head.eq_ignore_ascii_case(b"QUIT"));
            prop_assert_eq!(judged.is_none(), waiting.is_empty() || (verb == Verb::Rset && quit));
        }
    }
}
