//! Tests of the PROXY header: both directions, every split, and odd headers.

use proptest::prelude::*;

use super::*;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let mut header = V2_SIGNATURE.to_vec();
    header.extend([command, family]);
    header.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    header.extend(body);
    header
}

/// 192.0.2.7:40001 to 192.0.2.25:25.
const V4_BODY: [u8; 12] = [192, 0, 2, 7, 192, 0, 2, 25, 0x9c, 0x41, 0, 25];

#[test]
fn written_to_the_letter() {
    let client = address("192.0.2.7:40001");
    let local = address("192.0.2.25:25");
    assert_eq!(
        write(Version::V1, client, local),
        b"PROXY TCP4 192.0.2.7 192.0.2.25 40001 25\r\n"
    );
    assert_eq!(write(Version::V2, client, local), v2(0x21, 0x11, &V4_BODY));
    let six = address("[2001:db8::7]:40001");
    assert_eq!(
        write(Version::V1, six, address("[2001:db8::25]:25")),
        b"PROXY TCP6 2001:db8::7 2001:db8::25 40001 25\r\n"
    );
    assert_eq!(
        write(Version::V2, six, address("[2001:db8::25]:25")).len(),
        52
    );
}

#[test]
fn mixed_families_follow_the_client() {
    let six = address("[2001:db8::7]:40001");
    let four = address("192.0.2.7:40001");
    assert_eq!(
        write(Version::V1, six, address("192.0.2.25:25")),
        b"PROXY TCP6 2001:db8::7 ::ffff:192.0.2.25 40001 25\r\n"
    );
    assert_eq!(
        write(Version::V1, four, address("[2001:db8::25]:25")),
        b"PROXY TCP4 192.0.2.7 0.0.0.0 40001 25\r\n"
    );
    let mapped = address("[::ffff:192.0.2.7]:40001");
    assert_eq!(
        write(Version::V2, mapped, address("[::ffff:192.0.2.25]:25")),
        write(Version::V2, four, address("192.0.2.25:25"))
    );
}

#[test]
fn odd_headers() {
    use BadHeader::{Client, Missing, NoClient, Port, Protocol, Syntax, TooLong};
    let long = format!("PROXY TCP6 {} ::1 1 2\r\n", "1".repeat(100));
    let table: &[(&[u8], BadHeader)] = &[
        (b"EHLO mail.example\r\n", Missing),
        (b"\x16\x03\x01", Missing),
        (b"proxy TCP4 192.0.2.7 192.0.2.25 1 2\r\n", Missing),
        (b" PROXY TCP4 192.0.2.7 192.0.2.25 1 2\r\n", Missing),
        (b"PROXYxTCP4 192.0.2.7 192.0.2.25 1 2\r\n", Missing),
        (b"PROXY  TCP4 192.0.2.7 192.0.2.25 1 2\r\n", Missing),
        (b"PROXY UDP4 192.0.2.7 192.0.2.25 1 2\r\n", Missing),
        (b"\r\n\r\n\0\r\nQUIX\n", Missing),
        (b"PROXY UNKNOWN\r\n", NoClient),
        (b"PROXY UNKNOWN 192.0.2.7 192.0.2.25 1 2\r\n", NoClient),
        (b"PROXY TCP4 192.0.2.7 192.0.2.25 +1000 25\r\n", Port),
        (b"PROXY TCP4 192.0.2.7 192.0.2.25 01000 25\r\n", Port),
        (b"PROXY TCP4 192.0.2.7 192.0.2.25 1000 025\r\n", Port),
        (b"PROXY TCP4 192.0.2.7 192.0.2.25 1000 \r\n", Port),
        (b"PROXY TCP4 192.0.2.7 192.0.2.25 1000 -1\r\n", Port),
        (b"PROXY TCP4 192.0.2.7 192.0.2.25 1000 25 \r\n", Port),
        (b"PROXY TCP4 192.0.2.7 192.0.2.25 1000 25 26\r\n", Syntax),
        (b"PROXY TCP4 192.0.2.7  192.0.2.25 1000 25\r\n", Port),
        (b"PROXY TCP4 192.0.2.7 192.0.2.25 1000 70000\r\n", Syntax),
        (b"PROXY TCP4 192.0.2.7 192.0.2.25 1000\r\n", Syntax),
        (b"PROXY TCP4 192.0.2.7 192.0.2.25 1000 25\n", Syntax),
        (b"PROXY TCP4 192.0.2.07 192.0.2.25 1000 25\r\n", Syntax),
        (b"PROXY TCP4 192.0.2 192.0.2.25 1000 25\r\n", Syntax),
        (b"PROXY TCP4 2001:db8::7 2001:db8::25 1000 25\r\n", Syntax),
        (b"PROXY TCP6 192.0.2.7 192.0.2.25 1000 25\r\n", Syntax),
        (b"PROXY TCP6 fe80::1%eth0 ::1 1000 25\r\n", Syntax),
        (b"PROXY TCP4 0.0.0.0 192.0.2.25 1000 25\r\n", Client),
        (b"PROXY TCP6 ::ffff:0.0.0.0 ::1 1000 25\r\n", Client),
        (b"PROXY TCP6 ff02::1 ::1 1000 25\r\n", Client),
        (long.as_bytes(), TooLong),
        (&v2(0x20, 0x11, &V4_BODY), NoClient),
        (&v2(0x20, 0x00, &[]), NoClient),
        (&v2(0x21, 0x00, &[]), NoClient),
        (&v2(0x21, 0x12, &V4_BODY), Protocol),
        (&v2(0x21, 0x22, &[1; 36]), Protocol),
        (&v2(0x21, 0x31, &[1; 216]), Protocol),
        (&v2(0x31, 0x11, &V4_BODY), Syntax),
        (&v2(0x22, 0x11, &V4_BODY), Syntax),
        (&v2(0x21, 0x11, &[1; 11]), Syntax),
        (&v2(0x21, 0x21, &V4_BODY), Syntax),
        (&v2(0x21, 0x11, &[0; 12]), Client),
        (&v2(0x21, 0x11, &[1; 521]), TooLong),
    ];
    for (header, reason) in table {
        let shown = header.escape_ascii();
        assert_eq!(parse(header), Parse::Bad(*reason), "{shown}");
    }
}

#[test]
fn a_header_ends_where_it_ends() {
    let mut input = write(
        Version::V1,
        address("192.0.2.7:1"),
        address("192.0.2.25:25"),
    );
    let length = input.len();
    input.extend(b"EHLO a\r\n");
    assert!(matches!(parse(&input), Parse::Header { consumed, .. } if consumed == length));
    let mut with_tlv = V4_BODY.to_vec();
    with_tlv.extend([0x04, 0, 3, 1, 2, 3]);
    let mut input = v2(0x21, 0x11, &with_tlv);
    let length = input.len();
    input.extend(b"EHLO a\r\n");
    let expected = Parse::Header {
        consumed: length,
        client: address("192.0.2.7:40001"),
        local: address("192.0.2.25:25"),
    };
    assert_eq!(parse(&input), expected);
}

#[test]
fn the_largest_header_is_read() {
    let mut body = V4_BODY.to_vec();
    body.resize(MAX - V2_FIXED, 0x04);
    assert!(matches!(
        parse(&v2(0x21, 0x11, &body)),
        Parse::Header { consumed: MAX, .. }
    ));
}

#[tokio::test]
async fn nothing_behind_the_header_is_read() {
    for version in [Version::V1, Version::V2] {
        let (mut front, ours) = tokio::io::duplex(256);
        let mut stream = Stream::Pipe(ours);
        let client = address("[2001:db8::7]:40001");
        let local = address("[2001:db8::25]:465");
        let mut sent = write(version, client, local);
        sent.extend(b"\x16\x03\x01behind");
        tokio::io::AsyncWriteExt::write_all(&mut front, &sent)
            .await
            .unwrap();
        assert_eq!(read(&mut stream).await.unwrap(), (client, local));
        let mut rest = BytesMut::new();
        stream.read_into(&mut rest, 100).await.unwrap();
        assert_eq!(&rest[..], b"\x16\x03\x01behind");
    }
}

#[tokio::test]
async fn an_end_within_the_header_is_told_from_a_bad_one() {
    let (mut front, ours) = tokio::io::duplex(256);
    tokio::io::AsyncWriteExt::write_all(&mut front, b"PROXY TCP4 192")
        .await
        .unwrap();
    drop(front);
    let problem = read(&mut Stream::Pipe(ours)).await.unwrap_err();
    assert!(matches!(problem, HeaderProblem::Closed));
    let (mut front, ours) = tokio::io::duplex(256);
    tokio::io::AsyncWriteExt::write_all(&mut front, b"EHLO mail.example\r\n")
        .await
        .unwrap();
    let problem = read(&mut Stream::Pipe(ours)).await.unwrap_err();
    assert!(matches!(problem, HeaderProblem::Bad(BadHeader::Missing)));
}

fn any_address() -> impl Strategy<Value = SocketAddr> {
    any::<(IpAddr, u16)>().prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

proptest! {
    #[test]
    fn what_is_written_is_read(client in any_address(), local in any_address(), v1: bool) {
        prop_assume!(is_host(client.ip()));
        let version = if v1 { Version::V1 } else { Version::V2 };
        let header = write(version, client, local);
        prop_assert!(header.len() <= MAX_V1);
        let client = unmap(client);
        let local = match (client, unmap(local)) {
            (SocketAddr::V4(_), SocketAddr::V6(local)) => {
                SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), local.port())
            }
            (_, local) => local,
        };
        let expected = Parse::Header { consumed: header.len(), client, local };
        prop_assert_eq!(parse(&header), expected);
        for cut in 0..header.len() {
            let Parse::NeedMore { at_least } = parse(&header[..cut]) else {
                return Err(TestCaseError::fail(format!("cut at {cut}")));
            };
            prop_assert!(at_least >= 1 && cut + at_least <= header.len(), "cut at {}", cut);
        }
    }

    #[test]
    fn any_octets_are_survived(octets in proptest::collection::vec(any::<u8>(), 0..600), prefix in 0..4_usize) {
        let prefix: &[u8] = [&b""[..], V1_PREFIXES[0], V2_SIGNATURE, b"\r\n\r\n\0\r\nQUIT\n\x21\x11"][prefix];
        let input = [prefix, &octets].concat();
        match parse(&input) {
            Parse::Header { consumed, .. } => prop_assert!(consumed <= input.len().min(MAX)),
            Parse::NeedMore { at_least } => prop_assert!(at_least >= 1 && input.len() + at_least <= MAX),
            Parse::Bad(_) => {}
        }
    }
}
