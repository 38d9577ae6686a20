//! nsm for tests: the same program, with other timings where the variable sets them. No release and no image for users has
//! it; tests install it under the name `nsm`.

use std::{io::Write as _, process::ExitCode};

use common::{config::variable, process::REFUSED, timings::Timings};

/// Sets timings, as [`Timings::parse`] reads them.
const VARIABLE: &str = "NSM_TEST_TIMINGS";

fn main() -> ExitCode {
    match variable(VARIABLE).map_or_else(|| Ok(Timings::default()), |text| Timings::parse(&text)) {
        Ok(timings) => cli::main(timings),
        Err(error) => {
            // Nobody is left to be told where standard error is closed.
            let _ = writeln!(std::io::stderr(), "error: {VARIABLE}: {error}");
            REFUSED.into()
        }
    }
}
