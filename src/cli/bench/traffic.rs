//! The traffic of a run: made of a scenario, or read from a file.

use anyhow::Context;

use super::arguments::Arguments;
use crate::config::Problem;
use crate::measure::scenario::Scenario;
use crate::measure::trace::Trace;

/// A trace, with the scenario that it was made of where that is at hand.
pub(super) type Traffic = (Trace, Option<Scenario>);

/// The traffic, or all that is wrong with the scenario.
pub(super) fn traffic(arguments: &Arguments) -> anyhow::Result<Result<Traffic, Vec<Problem>>> {
    if let Some(file) = &arguments.trace {
        let text = std::fs::read(file).with_context(|| file.display().to_string())?;
        let trace = serde_json::from_slice(&text);
        let trace: Trace =
            trace.with_context(|| format!("{} is no traffic of --trace-out", file.display()))?;
        // A file may have changed since; what is built in has the same hash or is another.
        let scenario = Scenario::load(&trace.scenario)
            .ok()
            .filter(|scenario| scenario.hash == trace.hash);
        return Ok(Ok((trace, scenario)));
    }
    let scenario = match Scenario::load(&arguments.scenario) {
        Ok(scenario) => scenario,
        Err(problems) => return Ok(Err(problems)),
    };
    let trace = Trace::make(&scenario, arguments.seed, arguments.errands as usize);
    if let Some(file) = &arguments.trace_out {
        let out = std::fs::File::create(file).with_context(|| file.display().to_string())?;
        serde_json::to_writer(std::io::BufWriter::new(out), &trace)?;
    }
    Ok(Ok((trace, Some(scenario))))
}
