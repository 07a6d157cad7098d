//! Tests of the stream: waiting, not waiting, limits, ends, STARTTLS.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::duplex;
use tokio::net::TcpListener;
use tokio_rustls::{TlsConnector, client};

use super::*;
use crate::net::tls::hello::Reader;
use crate::net::tls::{self, self_signed};

const HOST: &str = "mx.example.org";

async fn tcp() -> (Stream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (accepted, theirs) = tokio::join!(listener.accept(), TcpStream::connect(address));
    let theirs = theirs.unwrap();
    theirs.set_nodelay(true).unwrap();
    (Stream::plain(accepted.unwrap().0), theirs)
}

fn acceptor(directory: &Path) -> Acceptor {
    let settings = tls::Settings {
        hostname: HOST.to_owned(),
        state_directory: directory.to_owned(),
        ..tls::Settings::default()
    };
    tls::load(settings, SystemTime::now()).unwrap()
}

/// The whole handshake.
async fn starttls(
    mut stream: Stream,
    acceptor: &Acceptor,
) -> Result<(Stream, TlsParameters), TlsError> {
    let hello = Reader::default().read(&mut stream).await;
    let hello = hello.map_err(|no| no.error)?;
    stream.starttls(hello, acceptor, None).await
}

fn connector(directory: &Path) -> TlsConnector {
    let file = directory.join(self_signed::CERTIFICATE_FILE);
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(file).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// A stream of each kind under TLS, and its client.
async fn under_tls<S>(stream: Stream, theirs: S) -> (Stream, client::TlsStream<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let directory = tempfile::tempdir().unwrap();
    let acceptor = acceptor(directory.path());
    let connector = connector(directory.path());
    let name = ServerName::try_from(HOST).unwrap();
    let (server, client) =
        tokio::join!(starttls(stream, &acceptor), connector.connect(name, theirs));
    (server.unwrap().0, client.unwrap())
}

async fn send(peer: &mut (impl AsyncWrite + Unpin), octets: &[u8]) {
    peer.write_all(octets).await.unwrap();
    peer.flush().await.unwrap();
}

#[test]
fn a_stream_and_its_wait_are_small() {
    assert!(size_of::<Stream>() <= 40, "{}", size_of::<Stream>());
    let mut stream = Stream::Pipe(duplex(1).0);
    let mut input = BytesMut::new();
    let waiting = size_of_val(&stream.read_into(&mut input, 4096));
    assert!(waiting <= 80, "{waiting}");
}

#[tokio::test]
async fn waiting_holds_no_buffer() {
    let (mut stream, mut theirs) = tcp().await;
    for limit in [1, 4096, 65536] {
        let mut input = BytesMut::new();
        {
            let mut read = pin!(stream.read_into(&mut input, limit));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(read.as_mut().poll(&mut cx).is_pending());
        }
        assert_eq!(input.capacity(), 0, "limit {limit}");
        send(&mut theirs, b"x").await;
        assert_eq!(stream.read_into(&mut input, limit).await.unwrap(), 1);
    }
    // Ready once and read empty by read_now: the runtime still thinks it ready, and no room may be left behind.
    send(&mut theirs, b"y").await;
    let Stream::Plain(tcp) = &stream else {
        unreachable!()
    };
    tcp.readable().await.unwrap();
    let mut taken = BytesMut::new();
    assert_eq!(stream.read_now(&mut taken, 10).unwrap(), Some(1));
    let mut input = BytesMut::new();
    {
        let mut read = pin!(stream.read_into(&mut input, 65536));
        assert!(
            read.as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
    }
    assert_eq!(input.capacity(), 0);
}

#[tokio::test]
async fn a_limit_is_kept_and_nothing_lost() {
    let data: Vec<u8> = (0..50_000_u32).map(|n| (n % 251) as u8).collect();
    for tls in [false, true] {
        for limit in [1000, 4096, 5000, 30_000] {
            let (ours, mut theirs) = duplex(100_000);
            let mut stream = Stream::Pipe(ours);
            if tls {
                let (server, mut client) = under_tls(stream, theirs).await;
                send(&mut client, &data).await;
                client.shutdown().await.unwrap();
                stream = server;
            } else {
                send(&mut theirs, &data).await;
                drop(theirs);
            }
            let mut input = BytesMut::new();
            loop {
                let before = input.len();
                let read = stream.read_into(&mut input, limit).await.unwrap();
                assert!(read <= limit && input.len() == before + read);
                if read == 0 {
                    break;
                }
            }
            assert!(input == data, "limit {limit}, TLS {tls}");
        }
    }
}

#[tokio::test]
async fn a_large_limit_is_filled_by_one_read() {
    let (mut stream, mut theirs) = tcp().await;
    send(&mut theirs, &[7; 20_000]).await;
    let mut input = BytesMut::new();
    // Loopback delivers in the writer's call; the first wait only lets the runtime see it.
    assert_eq!(stream.read_into(&mut input, 65536).await.unwrap(), 20_000);
}

#[tokio::test]
async fn what_is_there_is_seen_before_the_runtime_knows() {
    let (mut stream, theirs) = tcp().await;
    let mut input = BytesMut::new();
    assert_eq!(stream.read_now(&mut input, 100).unwrap(), None);
    // Sent without giving the runtime a chance to look.
    assert_eq!(theirs.try_write(b"EHLO a\r\n").unwrap(), 8);
    assert_eq!(stream.read_now(&mut input, 5).unwrap(), Some(5));
    assert_eq!(stream.read_now(&mut input, 100).unwrap(), Some(3));
    assert_eq!(stream.read_now(&mut input, 100).unwrap(), None);
    assert_eq!(&input[..], b"EHLO a\r\n");
    drop(theirs);
    assert_eq!(stream.read_now(&mut input, 100).unwrap(), Some(0));
    assert_eq!(stream.read_into(&mut input, 100).await.unwrap(), 0);
}

/// After `read_now` found nothing, or took all, or took some, a wait is woken by what comes.
async fn wakes_after_read_now(stream: &mut Stream, peer: &mut (impl AsyncWrite + Unpin)) {
    let mut input = BytesMut::new();
    assert_eq!(stream.read_now(&mut input, 100).unwrap(), None);
    let (read, ()) = tokio::join!(stream.read_into(&mut input, 100), send(peer, b"one"));
    assert_eq!(read.unwrap(), 3);
    send(peer, b"twothree").await;
    assert_eq!(stream.read_now(&mut input, 3).unwrap(), Some(3));
    assert_eq!(stream.read_into(&mut input, 100).await.unwrap(), 5);
    assert_eq!(stream.read_now(&mut input, 100).unwrap(), None);
    let (read, ()) = tokio::join!(stream.read_into(&mut input, 100), send(peer, b"four"));
    assert_eq!(read.unwrap(), 4);
    assert_eq!(&input[..], b"onetwothreefour");
}

#[tokio::test]
async fn read_now_does_not_lose_wakeups() {
    let (mut stream, mut peer) = tcp().await;
    wakes_after_read_now(&mut stream, &mut peer).await;
    let (stream, peer) = tcp().await;
    let (mut stream, mut peer) = under_tls(stream, peer).await;
    wakes_after_read_now(&mut stream, &mut peer).await;
    let (ours, mut peer) = duplex(1000);
    wakes_after_read_now(&mut Stream::Pipe(ours), &mut peer).await;
    let (ours, peer) = duplex(1000);
    let (mut stream, mut peer) = under_tls(Stream::Pipe(ours), peer).await;
    wakes_after_read_now(&mut stream, &mut peer).await;
}

#[tokio::test]
async fn read_now_is_not_subject_to_the_cooperative_budget() {
    let (ours, mut peer) = duplex(2000);
    let mut stream = Stream::Pipe(ours);
    send(&mut peer, &[b'x'; 1000]).await;
    let mut input = BytesMut::new();
    // Far more operations than one poll of a task may do.
    for _ in 0..1000 {
        assert_eq!(stream.read_now(&mut input, 1).unwrap(), Some(1));
    }
    assert_eq!(stream.read_now(&mut input, 1).unwrap(), None);
}

#[tokio::test]
async fn part_of_a_record_is_not_yet_input() {
    let (stream, mut client) = tcp().await;
    let (mut relay_end, client_end) = duplex(64 * 1024);
    // The client speaks TLS into a pipe, of which the test passes on what it likes.
    let directory = tempfile::tempdir().unwrap();
    let acceptor = acceptor(directory.path());
    let connector = connector(directory.path());
    let name = ServerName::try_from(HOST).unwrap();
    let handshakes = async {
        tokio::join!(
            starttls(stream, &acceptor),
            connector.connect(name, client_end)
        )
    };
    let relayed = async {
        let _ = tokio::io::copy_bidirectional(&mut relay_end, &mut client).await;
    };
    let (server, speaker) = tokio::select! {
        both = handshakes => both,
        () = relayed => unreachable!("neither side closes"),
    };
    let (mut server, mut speaker) = (server.unwrap().0, speaker.unwrap());
    send(&mut speaker, b"EHLO a\r\n").await;
    let mut record = BytesMut::new();
    relay_end.read_buf(&mut record).await.unwrap();
    let (first, second) = record.split_at(10);
    let mut input = BytesMut::new();
    send(&mut client, first).await;
    assert_eq!(server.read_now(&mut input, 100).unwrap(), None);
    send(&mut client, second).await;
    assert_eq!(server.read_now(&mut input, 100).unwrap(), Some(8));
}

#[tokio::test]
async fn a_tls_peer_that_just_closes_has_ended_its_input() {
    for now in [false, true] {
        let (stream, peer) = tcp().await;
        let (mut stream, mut peer) = under_tls(stream, peer).await;
        send(&mut peer, b"QUIT\r\n").await;
        // Past TLS, so without close_notify.
        peer.get_mut().0.shutdown().await.unwrap();
        let mut input = BytesMut::new();
        assert_eq!(stream.read_into(&mut input, 100).await.unwrap(), 6);
        if now {
            assert_eq!(stream.read_now(&mut input, 100).unwrap(), Some(0));
        }
        assert_eq!(stream.read_into(&mut input, 100).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn garbage_under_tls_is_an_error_and_no_input() {
    for now in [false, true] {
        let (stream, peer) = tcp().await;
        let (mut stream, peer) = under_tls(stream, peer).await;
        let (mut tcp, _session) = peer.into_inner();
        send(&mut tcp, b"NOOP\r\nNOOP\r\n").await;
        let mut input = BytesMut::new();
        let read = if now {
            stream.read_now(&mut input, 100).map(|_| ())
        } else {
            stream.read_into(&mut input, 100).await.map(|_| ())
        };
        assert!(read.is_err() && input.is_empty());
    }
}

#[tokio::test]
async fn starttls_leaves_what_was_read_before_outside() {
    let directory = tempfile::tempdir().unwrap();
    let acceptor = acceptor(directory.path());
    let connector = connector(directory.path());
    let (ours, mut theirs) = duplex(32 * 1024);
    let mut stream = Stream::Pipe(ours);
    send(&mut theirs, b"STARTTLS\r\nMAIL FROM:<>\r\n").await;
    let mut input = BytesMut::new();
    stream.read_into(&mut input, 4096).await.unwrap();
    let peer = async {
        let name = ServerName::try_from(HOST).unwrap();
        let mut tls = connector.connect(name, theirs).await.unwrap();
        send(&mut tls, b"EHLO a\r\n").await;
        tls
    };
    let (server, _peer) = tokio::join!(starttls(stream, &acceptor), peer);
    let (mut stream, _) = server.unwrap();
    assert_eq!(
        &input[..],
        b"STARTTLS\r\nMAIL FROM:<>\r\n",
        "neither fed to TLS nor lost"
    );
    let mut input = BytesMut::new();
    stream.read_into(&mut input, 4096).await.unwrap();
    assert_eq!(&input[..], b"EHLO a\r\n");
    assert_eq!(stream.read_now(&mut input, 4096).unwrap(), None);
    assert!(starttls(stream, &acceptor).await.is_err(), "no TLS in TLS");
}

#[tokio::test]
async fn plain_text_in_the_pipe_is_no_handshake() {
    let directory = tempfile::tempdir().unwrap();
    let acceptor = acceptor(directory.path());
    let (ours, mut theirs) = duplex(32 * 1024);
    send(&mut theirs, b"EHLO a\r\n").await;
    let error = starttls(Stream::Pipe(ours), &acceptor).await.unwrap_err();
    assert_eq!(error.reason, tls::HandshakeFailure::NotTls);
}

/// Some systems throw away what was not read before a reset; this one would only remember it, FIN or not.
#[track_caller]
fn not_reset(peer: &TcpStream) {
    assert!(matches!(peer.take_error(), Ok(None)));
}

#[tokio::test]
async fn close_over_unread_input_does_not_take_the_reply_away() {
    let (mut stream, mut peer) = tcp().await;
    send(&mut peer, b"EHLO early talker\r\n").await;
    stream.write_all_flush(b"554 5.5.1 no\r\n").await.unwrap();
    stream.close().await;
    not_reset(&peer);
    let mut reply = Vec::new();
    peer.read_to_end(&mut reply).await.unwrap();
    assert_eq!(reply, b"554 5.5.1 no\r\n");
}

#[tokio::test]
async fn close_under_tls_over_unread_input_does_not_take_the_reply_away() {
    let (stream, peer) = tcp().await;
    let (mut stream, mut peer) = under_tls(stream, peer).await;
    send(&mut peer, b"NOOP\r\n").await;
    stream.write_all_flush(b"421 4.7.0 no\r\n").await.unwrap();
    stream.close().await;
    not_reset(peer.get_ref().0);
    let mut reply = Vec::new();
    peer.read_to_end(&mut reply).await.unwrap();
    assert_eq!(reply, b"421 4.7.0 no\r\n");
}

#[tokio::test]
async fn close_under_tls_says_so() {
    let (stream, peer) = tcp().await;
    let (mut stream, mut peer) = under_tls(stream, peer).await;
    stream.write_all_flush(b"221 2.0.0 bye\r\n").await.unwrap();
    stream.close().await;
    let mut reply = Vec::new();
    // rustls reports a missing close_notify as an error.
    peer.read_to_end(&mut reply).await.unwrap();
    assert_eq!(reply, b"221 2.0.0 bye\r\n");
}

#[tokio::test]
async fn close_does_not_wait_for_a_peer_that_does_not_read() {
    let (ours, theirs) = duplex(16 * 1024);
    let (mut stream, peer) = under_tls(Stream::Pipe(ours), theirs).await;
    {
        let mut cx = Context::from_waker(Waker::noop());
        while Pin::new(&mut stream)
            .poll_write(&mut cx, &[0; 1024])
            .is_ready()
        {}
    }
    stream.close().await;
    drop(peer);
}
