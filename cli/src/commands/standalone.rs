//! `nsm standalone`.

use common::process;

use crate::{
    args::Global,
    context::CliContext,
    failure::Failure,
    standalone::{ClusterChoice, run},
};

pub(super) async fn standalone(reach: &CliContext<'_>, global: &Global, mode: Option<String>) -> Result<(), Failure> {
    let mut source = reach.source();
    if let Some(mode) = mode {
        source = source.with_flag("--mode", "mode", mode);
    }
    let settings = source.load()?;
    process::log(&settings.telemetry)?;
    let choice = ClusterChoice { kubeconfig: global.kubeconfig.clone(), context: global.context.clone() };
    Ok(run(source, settings, &choice).await?)
}
