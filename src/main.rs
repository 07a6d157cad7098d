//! Hands the arguments to [`gatepost::cli`] and turns its result into an exit code.

fn main() {}
