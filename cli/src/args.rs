//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::{SignedDuration, Timestamp};
use lifecycle::duration::Period;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  the command line is not understood
  3  there is no such namespace
  4  refused: the namespace is being deleted already, or the right is missing
  5  the store or the cluster is out of reach
  6  the configuration is refused";

/// Keeps namespaces tidy: tells what happens to them and why, and lets people have a word in it.
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
    /// How answers are written: `table` for people; `json` and `yaml` for programs, with stable fields
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table, value_name = "FORMAT", hide_possible_values = true)]
    pub(crate) output: Format,
}

/// How answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
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
    Ls {
        /// Also those that are gone or no longer managed
        #[arg(long)]
        all: bool,
    },
    /// Tell why a namespace is as it is, and what stands before its deletion
    Why {
        #[arg(value_name = "NAME|UID")]
        namespace: String,
    },
    /// Tell everything that ever happened to a namespace, also after it is gone
    History {
        #[arg(value_name = "NAME|UID")]
        namespace: String,
    },
    /// Tell on one page how everything is: who leads, what waits, what is stuck
    Status,
    /// List the workers, and what each is at
    Workers,
    /// Ask that a namespace is not deleted for some time
    Keep {
        name: String,
        #[command(flatten)]
        end: End,
        /// Why, for whoever wonders
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Take the wish to keep a namespace back
    Unkeep { name: String },
    /// Never let a namespace be deleted
    Protect { name: String },
    /// Take the protection of a namespace back
    Unprotect { name: String },
    /// Stop all deletions, at once
    Stop {
        /// Why, for whoever wonders
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Let deletions go on after a stop
    Resume {
        /// Why, for whoever wonders
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Allow deletions beyond the wave for some time, or vouch for the store or for its cluster
    Approve {
        /// For how long deletions that nobody could foresee may go beyond the wave
        #[arg(long = "for", value_name = "DURATION", default_value = "1h", value_parser = duration, conflicts_with_all = ["store", "cluster"])]
        period: SignedDuration,
        /// Instead, vouch that this store is the right one, though namespaces carry marks it does not know
        #[arg(long)]
        store: bool,
        /// Instead, have the store know the cluster that answers in place of the one it knew, which was rebuilt
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

fn duration(text: &str) -> Result<SignedDuration, String> {
    Period::parse(text).map(Period::get).map_err(|error| error.to_string())
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
