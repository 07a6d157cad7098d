//! A mail server that takes everything and keeps nothing: PROXY header version 2 first, then SMTP.

use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Signature, version, family, length (PROXY protocol, section 2.2).
const HEADER: usize = 16;

/// Starts it on the runtime of the caller.
pub(crate) async fn start() -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

async fn serve(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let mut input = BytesMut::with_capacity(64 * 1024);
    while input.len() < HEADER || input.len() < HEADER + length(&input) {
        if stream.read_buf(&mut input).await.unwrap_or(0) == 0 {
            return;
        }
    }
    input.advance(HEADER + length(&input));
    let mut replies = b"220 sink.example.com ESMTP\r\n".to_vec();
    let mut in_data = false;
    loop {
        while let Some(line) = step(&mut input, &mut in_data) {
            replies.extend_from_slice(line);
        }
        if !replies.is_empty() && stream.write_all(&replies).await.is_err() {
            return;
        }
        replies.clear();
        input.reserve(64 * 1024);
        if stream.read_buf(&mut input).await.unwrap_or(0) == 0 {
            return;
        }
    }
}

fn length(header: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([header[14], header[15]]))
}

/// The reply to the next command or message in `input`, if one is whole.
fn step(input: &mut BytesMut, in_data: &mut bool) -> Option<&'static [u8]> {
    if *in_data {
        let Some(end) = memchr::memmem::find(input, b"\r\n.\r\n") else {
            let keep = input.len().min(4);
            input.advance(input.len() - keep);
            return None;
        };
        input.advance(end + 5);
        *in_data = false;
        return Some(b"250 2.0.0 taken\r\n");
    }
    let end = memchr::memchr(b'\n', input)?;
    let line = input.split_to(end + 1);
    match line.get(..4)?.to_ascii_uppercase().as_slice() {
        b"EHLO" => Some(
            b"250-sink.example.com\r\n250-SIZE 100000000\r\n250-8BITMIME\r\n250 PIPELINING\r\n",
        ),
        b"DATA" => {
            *in_data = true;
            Some(b"354 go on\r\n")
        }
        b"QUIT" => Some(b"221 2.0.0 bye\r\n"),
        _ => Some(b"250 2.0.0 OK\r\n"),
    }
}
