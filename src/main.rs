//! Hands the arguments to [`gatepost::cli`] and turns its result into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    gatepost::cli::main()
}
