//! How fast mail data is examined: octets a second on one core, for ordinary text, for long lines and for base64.

#![allow(missing_docs, reason = "the bench harness makes public items")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gatepost::smtp::body::{BareNewline, BodyReader};
use std::hint::black_box;

/// As much as a session reads at a time.
const BLOCK: usize = 64 * 1024;

fn message(line: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(16 << 20);
    while text.len() < 16 << 20 {
        text.extend(std::iter::repeat_n(b'x', line));
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b".\r\n");
    text
}

/// Reads a whole message in blocks, keeping what the reader leaves, as the session does.
fn read(message: &[u8]) -> u64 {
    let mut reader = BodyReader::new(BareNewline::Reject);
    let (mut from, mut to, mut passed) = (0, 0, 0);
    loop {
        to = message.len().min(to + BLOCK);
        let read = reader.read(&message[from..to]);
        passed += black_box(read.chunk.len()) as u64;
        from += read.consumed;
        if read.end {
            return passed;
        }
        assert!(to < message.len(), "the end was not found");
    }
}

fn bodies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("body");
    group.sample_size(20);
    for line in [40, 76, 900] {
        let message = message(line);
        group.throughput(Throughput::Bytes(message.len() as u64));
        group.bench_with_input(
            BenchmarkId::new("lines of", line),
            &message,
            |bencher, message| {
                bencher.iter(|| read(message));
            },
        );
    }
    group.finish();
}

criterion_group!(benches, bodies);
criterion_main!(benches);
