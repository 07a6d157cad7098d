//! BDAT (RFC 3030): a chunk is read by its count, whatever becomes of it.

use super::*;

fn chunking() -> Server {
    let mut server = greeted();
    let offer = Extensions {
        chunking: true,
        ..server.offer().clone()
    };
    server.set_offer(offer);
    server
}

/// Gives the server a BDAT with its chunk and takes what is passed on; `rest` must not be touched.
fn chunk(server: &mut Server, line: &str, chunk: &[u8], rest: &[u8]) -> Vec<u8> {
    assert!(
        matches!(say(server, line), Ok(Command::Bdat { .. })),
        "{line}"
    );
    let input = [chunk, rest].concat();
    let step = server.next(&input);
    let Event::Body(body) = step.event else {
        panic!("{line}: {:?}", step.event)
    };
    assert!(body.end && body.refused.is_none(), "{line}");
    assert_eq!(step.consumed, chunk.len(), "{line}");
    body.chunk.into_owned()
}

#[test]
fn chunks_of_a_message_and_the_next_message() {
    let mut server = chunking();
    talk(&mut server, &["EHLO c.example", MAIL, RCPT]);
    assert_eq!(
        chunk(&mut server, "BDAT 3", b"a\r\n", b"QUIT\r\n"),
        b"a\r\n"
    );
    answer(&mut server, Verb::Bdat, 250);
    assert_eq!(server.phase(), Phase::Chunks);
    assert_eq!(chunk(&mut server, "BDAT 0", b"", b"RSET\r\n"), b"");
    answer(&mut server, Verb::Bdat, 250);
    assert_eq!(say(&mut server, MAIL), Err(Fault::OutOfOrder(Verb::Mail)));
    assert_eq!(
        chunk(&mut server, "BDAT 1 LAST", b".", MAIL.as_bytes()),
        b"..\r\n"
    );
    assert_eq!(server.data_size(), 4);
    answer(&mut server, Verb::EndOfData, 250);
    assert_eq!(server.phase(), Phase::Ready);
    talk(&mut server, &[MAIL, RCPT]);
    assert_eq!(chunk(&mut server, "BDAT 1 LAST", b"x", b""), b"x\r\n");
    assert_eq!(server.data_size(), 1, "of this message");
    answer(&mut server, Verb::EndOfData, 550);
    assert_eq!(server.phase(), Phase::Ready);
}

#[test]
fn without_recipients_the_chunk_is_read_all_the_same() {
    let mut server = chunking();
    talk(&mut server, &["EHLO c.example"]);
    chunk(&mut server, "BDAT 6 LAST", b"QUIT\r\n", b"RSET\r\n");
    server.refuse(&Fault::InVain(Verb::Bdat).reply(), &mut Vec::new());
    assert_eq!(server.phase(), Phase::Ready);
    talk(&mut server, &[MAIL]);
    chunk(&mut server, "BDAT 6 LAST", b"QUIT\r\n", b"RSET\r\n");
    server.refuse(&Fault::InVain(Verb::Bdat).reply(), &mut Vec::new());
    assert_eq!(server.phase(), Phase::Mail);
}

#[test]
fn a_chunk_that_is_not_there_yet_is_waited_for() {
    let mut server = chunking();
    talk(&mut server, &["EHLO c.example", MAIL, RCPT]);
    say(&mut server, "BDAT 4 LAST").unwrap();
    assert_eq!(server.next(b"").event, Event::NeedMore);
    assert!(matches!(server.next(b"QU").event, Event::Body(read) if !read.end));
    assert!(
        matches!(server.next(b"ITRSET").event, Event::Body(read) if read.end && read.consumed == 2)
    );
}
