//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::{SignedDuration, Timestamp};
use lifecycle::{Status, duration::PositiveDuration};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  the command line is not understood
  3  there is no such namespace
  4  refused: the namespace is being deleted already or is never managed, or the right is missing
  5  the store or the cluster is out of reach
  6  the configuration is refused";

/// Tell what happens to namespaces and why, and keep, protect or stop their deletion.
#[derive(Debug, Parser)]
#[command(name = "nsm", version, after_help = EXIT_CODES, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What holds for every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// The configuration: a file, or a directory of `*.yaml`. Default: CONFIG_PATH, else the defaults
    #[arg(long, global = true, value_name = "FILE|DIR")]
    pub(crate) config: Option<PathBuf>,
    /// The cluster's kubeconfig. Default: as kubectl finds it
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig. Default: its current one
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The address of the API, to ask it instead of the store. Default: none
    #[arg(long, global = true, value_name = "URL", env = "NSM_API", hide_env_values = true)]
    pub(crate) api: Option<String>,
    /// A file with the token for the API (`kubectl create token NAME --audience namespace-manager`). Default: none
    #[arg(long, global = true, value_name = "FILE", env = "NSM_TOKEN_FILE", hide_env_values = true)]
    pub(crate) token_file: Option<PathBuf>,
    /// The authority of the API's certificate. Default: those that this machine trusts
    #[arg(long, global = true, value_name = "FILE", env = "NSM_API_CA", hide_env_values = true)]
    pub(crate) api_ca: Option<PathBuf>,
    /// How answers are written: `table` for people, or `wide` with more columns; `json` and `yaml` for programs, with stable fields; `name` of `ls`
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table, value_name = "FORMAT", hide_possible_values = true)]
    pub(crate) output: Format,
}

/// How answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Wide,
    Name,
    Json,
    Yaml,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything in this process, on one cluster, with the store in one file
    Standalone {
        /// Whether to delete; outranks the configuration [possible values: observe, enforce]
        #[arg(long, value_name = "MODE")]
        mode: Option<String>,
    },
    /// List namespaces, and what happens next to each
    #[command(visible_alias = "list")]
    Ls(Which),
    /// Tell why a namespace is as it is, and what holds its deletion back
    Why {
        #[arg(value_name = "NAME|UID", value_parser = namespace)]
        namespace: String,
        /// Also the checks that hold nothing back
        #[arg(long)]
        all: bool,
    },
    /// Show every event of a namespace, also after it is gone
    History {
        #[arg(value_name = "NAME|UID", value_parser = namespace)]
        namespace: String,
    },
    /// Show on one page who leads, what waits and what is stalled
    Status,
    /// List the workers, and what each is doing
    Workers,
    /// Ask that a namespace is not deleted for some time
    Keep {
        #[arg(value_parser = namespace)]
        name: String,
        #[command(flatten)]
        end: End,
        /// Reason, shown in the history
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Remove the request to keep a namespace
    Unkeep {
        #[arg(value_parser = namespace)]
        name: String,
    },
    /// Never let a namespace be deleted
    Protect {
        #[arg(value_parser = namespace)]
        name: String,
    },
    /// Remove the protection of a namespace
    Unprotect {
        #[arg(value_parser = namespace)]
        name: String,
    },
    /// Stop all deletions, at once
    Stop {
        /// Reason, shown in the history
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Let deletions go on after a stop
    Resume {
        /// Reason, shown in the history
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Allow more unannounced deletions for some time, or say that the store or its cluster is the right one
    Approve {
        /// For how long deletions that were not announced may exceed their limit (`budget.unannounced`)
        #[arg(long = "for", value_name = "DURATION", default_value = "1h", value_parser = duration, conflicts_with_all = ["store", "cluster"])]
        period: SignedDuration,
        /// Instead, say that this store is the right one, though namespaces tell of entries that it does not have
        #[arg(long)]
        store: bool,
        /// Instead, say that the store belongs to the cluster that answers now, which took the place of the one it knew
        #[arg(long, conflicts_with = "store")]
        cluster: bool,
    },
    /// Check, explain and show configurations
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write a completion script for a shell
    Completion { shell: Shell },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Tell everything that is wrong with the configuration
    Check {
        /// Also tell what it changes against this older one: settings, and which namespaces fall under what
        #[arg(long, value_name = "FILE|DIR")]
        diff: Option<PathBuf>,
    },
    /// Print the JSON schema
    Schema,
    /// Print a commented example with every key
    Example,
}

/// Which namespaces are listed.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// These alone
    #[arg(value_name = "NAME", value_parser = namespace)]
    pub(crate) names: Vec<String>,
    /// Also those that are gone or no longer managed
    #[arg(long)]
    pub(crate) all: bool,
    /// Those of these statuses, such as `failed,stale`
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = status)]
    pub(crate) status: Vec<Status>,
    /// Those of this owner
    #[arg(long, value_name = "OWNER")]
    pub(crate) owner: Option<String>,
    /// Those under this policy
    #[arg(long, value_name = "POLICY")]
    pub(crate) policy: Option<String>,
}

/// Until when.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct End {
    /// For how long from now, such as `4h` or `2d`
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub(crate) period: Option<SignedDuration>,
    /// Until when, such as `2026-08-17T18:00:00Z`, or the end of a day (UTC), such as `2026-08-17`
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub(crate) until: Option<Timestamp>,
}

/// A namespace as kubectl takes it, too: `NAME`, `ns/NAME`, `namespace/NAME`.
fn namespace(text: &str) -> Result<String, String> {
    let name = ["ns/", "namespace/", "namespaces/"].iter().find_map(|kind| text.strip_prefix(kind)).unwrap_or(text);
    if name.is_empty() { Err("it names no namespace".to_owned()) } else { Ok(name.to_owned()) }
}

fn status(text: &str) -> Result<Status, String> {
    let known = Status::ALL.into_iter().find(|status| status.as_str() == text);
    known.ok_or_else(|| format!("it is no status; write one of {}", Status::ALL.map(Status::as_str).join(", ")))
}

fn duration(text: &str) -> Result<SignedDuration, String> {
    PositiveDuration::parse(text).map(PositiveDuration::get).map_err(|error| error.to_string())
}

fn instant(text: &str) -> Result<Timestamp, String> {
    lifecycle::time::parse(text).ok_or_else(|| {
        "it is no instant; write it with its offset, such as `2026-08-17T18:00:00Z`, or a date".to_owned()
    })
}

/// How the program was called, for its help: `kubectl nsm` where it is kubectl's plugin. The program for tests tells of
/// itself as the one it stands for.
pub(crate) fn called(program: Option<&str>) -> String {
    let name = program.and_then(|path| std::path::Path::new(path).file_name()).and_then(|name| name.to_str());
    match name.and_then(|name| name.strip_prefix("kubectl-")) {
        Some(plugin) => format!("kubectl {plugin}"),
        None => name.map_or("nsm", |name| name.strip_suffix("-test-timings").unwrap_or(name)).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn it_is_called_by_its_own_name() {
        assert_eq!(called(Some("/usr/local/bin/nsm")), "nsm");
        assert_eq!(called(Some("kubectl-nsm")), "kubectl nsm");
        assert_eq!(called(Some("target/debug/nsm-test-timings")), "nsm");
        assert_eq!(called(None), "nsm");
    }

    #[test]
    fn a_namespace_is_named_as_for_kubectl() {
        for text in ["ci-1", "ns/ci-1", "namespace/ci-1", "namespaces/ci-1"] {
            assert_eq!(namespace(text).as_deref(), Ok("ci-1"));
        }
        assert!(namespace("ns/").is_err());
        let parse = |args: &str| Cli::try_parse_from(args.split(' ')).map(|cli| cli.command);
        let Ok(Command::Ls(which)) = parse("nsm list ns/ci-1 --status failed,stale --owner anna") else {
            panic!("it is understood");
        };
        assert_eq!((which.names, which.status), (vec!["ci-1".to_owned()], vec![Status::Failed, Status::Stale]));
        let told = parse("nsm ls --status broken").map(|_| ()).unwrap_err().to_string();
        assert!(told.contains("write one of unknown, ok, "), "{told}");
    }

    #[test]
    fn one_end_is_needed_and_no_more() {
        let parse = |args: &str| Cli::try_parse_from(args.split(' ')).map(|_| ()).map_err(|error| error.kind());
        use clap::error::ErrorKind::{ArgumentConflict, MissingRequiredArgument, ValueValidation};
        assert_eq!(parse("nsm keep a --for 4h"), Ok(()));
        assert_eq!(parse("nsm keep a --until 2026-08-17"), Ok(()));
        assert_eq!(parse("nsm keep a"), Err(MissingRequiredArgument));
        assert_eq!(parse("nsm keep a --for 4h --until 2026-08-17T18:00:00Z"), Err(ArgumentConflict));
        assert_eq!(parse("nsm keep a --for 4"), Err(ValueValidation));
        assert_eq!(parse("nsm keep a --until tomorrow"), Err(ValueValidation));
    }
}
