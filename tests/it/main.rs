//! Tests of the parts that touch the world, over loopback only.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

mod gather;
mod journal;
