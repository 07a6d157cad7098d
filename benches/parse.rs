//! What a command line costs: octets to a typed command, and back to octets.

#![allow(missing_docs, reason = "the bench harness makes public items")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gatepost::smtp::command::Command;
use gatepost::smtp::line::LineReader;
use std::hint::black_box;

const SESSION: &[&[u8]] = &[
    b"EHLO mail-ab1.example.com\r\n",
    b"MAIL FROM:<bounce+ada=example.org@lists.example.com> SIZE=48213 BODY=8BITMIME\r\n",
    b"RCPT TO:<ada.lovelace@example.org>\r\n",
    b"DATA\r\n",
    b"QUIT\r\n",
];

fn parse(input: &[u8]) -> Option<Command> {
    let step = LineReader::default().next(input);
    step.line
        .and_then(Result::ok)
        .and_then(|line| Command::parse(line).ok())
}

fn commands(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("command");
    group.throughput(Throughput::Elements(SESSION.len() as u64));
    group.bench_function("parse five", |bencher| {
        bencher.iter(|| {
            SESSION
                .iter()
                .filter_map(|line| parse(black_box(line)))
                .count()
        });
    });
    let parsed: Vec<Command> = SESSION.iter().filter_map(|line| parse(line)).collect();
    assert_eq!(parsed.len(), SESSION.len());
    let mut out = Vec::with_capacity(512);
    group.bench_function("write five", |bencher| {
        bencher.iter(|| {
            out.clear();
            for command in &parsed {
                command.write(&mut out);
            }
            black_box(out.len())
        });
    });
    group.finish();
}

criterion_group!(benches, commands);
criterion_main!(benches);
