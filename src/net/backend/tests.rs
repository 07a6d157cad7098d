//! Tests of the connection to the backend, over loopback.

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;
use crate::net::proxy_header::Parse;

const TIMEOUT: Duration = Duration::from_secs(10);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn target(there: SocketAddr) -> Target {
    Target {
        address: there,
        source: Some(address("127.0.0.2:0").ip()),
        header: Some(Version::V2),
        loopback_clients: false,
        timeout: TIMEOUT,
    }
}

fn client() -> SocketAddr {
    address("192.0.2.7:40001")
}

fn local() -> SocketAddr {
    address("192.0.2.25:25")
}

/// An address where nobody listens, and stays so while the listener is held: bound, not listening.
fn refusing() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&address("127.0.0.1:0").into()).unwrap();
    let bound = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, bound)
}

async fn failed(target: Target) -> ConnectError {
    connect(target, client(), local()).await.unwrap_err()
}

#[tokio::test]
async fn the_header_comes_first_and_from_the_source_address() {
    let backend = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = backend.local_addr().unwrap();
    for header in [Some(Version::V1), Some(Version::V2), None] {
        let target = Target {
            header,
            ..target(there)
        };
        let mapped = address("[::ffff:192.0.2.7]:40001");
        let (connected, accepted) =
            tokio::join!(connect(target, mapped, local()), backend.accept());
        let (mut seen, from) = accepted.unwrap();
        assert_eq!(from.ip(), address("127.0.0.2:0").ip());
        let connected = connected.unwrap();
        let Stream::Plain(tcp) = &connected else {
            panic!("plain")
        };
        assert!(tcp.nodelay().unwrap());
        connected.close().await;
        let mut sent = Vec::new();
        seen.read_to_end(&mut sent).await.unwrap();
        if header.is_none() {
            assert_eq!(sent, b"");
            continue;
        }
        let expected = Parse::Header {
            consumed: sent.len(),
            client: client(),
            local: local(),
        };
        assert_eq!(proxy_header::parse(&sent), expected);
    }
}

#[tokio::test]
async fn the_error_says_where_and_why() {
    let (_held, refusing) = refusing();
    let error = failed(target(refusing)).await;
    let text = error.to_string();
    assert!(
        text.contains(&format!("{refusing}: connection refused")),
        "{text}"
    );
    assert_eq!((error.blame(), error.label()), (Blame::Backend, "refused"));
    let error = failed(target(address("[::1]:25"))).await;
    let text = error.to_string();
    assert!(
        text.contains("[::1]:25: source address 127.0.0.2 is of the other family"),
        "{text}"
    );
    assert_eq!((error.blame(), error.label()), (Blame::Us, "source_family"));
}

#[tokio::test]
async fn a_source_address_that_is_not_ours_stops_the_connection() {
    let backend = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = backend.local_addr().unwrap();
    let source = Some(address("192.0.2.99:0").ip());
    let error = failed(Target {
        source,
        ..target(there)
    })
    .await;
    assert_eq!((error.blame(), error.label()), (Blame::Us, "bind"));
    assert!(
        error
            .to_string()
            .contains("cannot use source address 192.0.2.99"),
        "{error}"
    );
}

#[tokio::test]
async fn clients_that_would_get_our_rights_are_not_announced() {
    let backend = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = backend.local_addr().unwrap();
    for (text, with_loopback) in [
        ("127.0.0.1:1", true),
        ("[::ffff:127.0.0.1]:1", true),
        ("127.9.9.9:1", true),
        ("[::1]:1", true),
        ("0.0.0.0:1", false),
        ("[::]:1", false),
        ("[::ffff:0.0.0.0]:1", false),
        ("255.255.255.255:1", false),
        ("[ff02::1]:1", false),
    ] {
        let error = connect(target(there), address(text), local())
            .await
            .unwrap_err();
        assert!(matches!(error, ConnectError::Client(_)), "{text}: {error}");
        assert_eq!(
            (error.blame(), error.label()),
            (Blame::Us, "client_address")
        );
        let target = Target {
            loopback_clients: true,
            ..target(there)
        };
        let connected = connect(target, address(text), local()).await;
        assert_eq!(connected.is_ok(), with_loopback, "{text}");
    }
    let target = Target {
        header: None,
        ..target(there)
    };
    assert!(
        connect(target, address("127.0.0.1:1"), local())
            .await
            .is_ok(),
        "nobody is announced"
    );
}

/// A listener whose queue is full does not answer another SYN.
#[tokio::test]
async fn silence_ends_with_the_time() {
    let silent = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    silent.bind(&address("127.0.0.1:0").into()).unwrap();
    silent.listen(0).unwrap();
    let silent_address = silent.local_addr().unwrap().as_socket().unwrap();
    let _filler = std::net::TcpStream::connect(silent_address).unwrap();
    tokio::time::pause();
    let begun = Instant::now();
    let error = failed(target(silent_address)).await;
    assert_eq!((error.blame(), error.label()), (Blame::Backend, "timeout"));
    assert!(begun.elapsed() >= TIMEOUT, "{:?}", begun.elapsed());
}

#[test]
fn errors_of_the_system_are_told_apart() {
    for (errno, label, blame) in [
        (Errno::ECONNREFUSED, "refused", Blame::Backend),
        (Errno::ETIMEDOUT, "timeout", Blame::Backend),
        (Errno::EHOSTUNREACH, "unreachable", Blame::Backend),
        (Errno::ENETUNREACH, "unreachable", Blame::Backend),
        (Errno::EMFILE, "resources", Blame::Us),
        (Errno::ENFILE, "resources", Blame::Us),
        (Errno::EADDRNOTAVAIL, "resources", Blame::Us),
        (Errno::EIO, "other", Blame::Backend),
    ] {
        let failure = Failure::of(io::Error::from_raw_os_error(errno as i32));
        assert_eq!(
            (failure.label(), failure.blame()),
            (label, blame),
            "{errno}"
        );
    }
}

#[test]
fn the_source_address_takes_no_port_before_it_is_needed() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    for (source, backend) in [("127.0.0.2:0", "127.0.0.1:25"), ("[::1]:0", "[::1]:25")] {
        let socket = match address(source) {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        };
        let socket = socket.unwrap();
        bind(&socket, address(source).ip(), address(backend)).unwrap();
        assert_eq!(socket.local_addr().unwrap(), address(source));
    }
}
