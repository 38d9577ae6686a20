//! nsm (temporary main)
mod standalone;
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter("info").init();
    let mut args = std::env::args().skip(2);
    let (mut config, mut kube) = (None, None);
    let mut source_flags = vec![];
    while let Some(a) = args.next() {
        match a.as_str() {
            "--config" => config = args.next().map(Into::into),
            "--kubeconfig" => kube = args.next().map(Into::into),
            "--mode" => source_flags.push(args.next().unwrap_or_default()),
            _ => anyhow::bail!("unknown {a}"),
        }
    }
    let mut source = common::config::Source::of_process(config);
    for m in source_flags {
        source = source.with_flag("--mode", "mode", m);
    }
    let settings = source.load().map_err(|e| anyhow::anyhow!("{e}"))?;
    standalone::run(source, settings, &standalone::ClusterChoice { kubeconfig: kube, context: None }).await
}
