//! Tests of the parts that touch the world, over loopback only.

mod gather;
mod journal;
