//! Other processes: this test binary once more, told to run one function.

use std::{
    io::{BufRead, BufReader, Lines, Write, stdout},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

const ORDERS: &str = "NSM_CONTRACT_ORDERS";

/// Goes before each line that is meant for the parent, since the test harness writes to the same pipe.
const PROMPT: &str = "> ";

/// A child process. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
    told: Option<ChildStdin>,
}

impl Process {
    /// Runs an ignored test of this binary, which reads its [`orders`].
    pub(crate) fn start(test: &str, orders: &[&str]) -> Self {
        Self::run(Command::new(std::env::current_exe().unwrap()), test, orders)
    }

    /// As [`start`](Self::start), where no file can grow beyond `blocks` of 512 bytes: writes end as on a full disk.
    pub(crate) fn start_with_full_disk(blocks: u32, test: &str, orders: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        // Soft, so that it can be lifted. The signal would end the process before the write could fail.
        shell.args(["-c", &format!("trap '' XFSZ; ulimit -S -f {blocks}; exec \"$0\" \"$@\"")]);
        shell.arg(std::env::current_exe().unwrap());
        Self::run(shell, test, orders)
    }

    fn run(mut command: Command, test: &str, orders: &[&str]) -> Self {
        command.args([test, "--exact", "--ignored", "--nocapture"]).env(ORDERS, orders.join("\n"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = child.stdin.take();
        Self { child, said, told }
    }

    /// The next thing it says; `None` when it has ended.
    pub(crate) fn next(&mut self) -> Option<String> {
        self.said.by_ref().map_while(Result::ok).find_map(|line| line.strip_prefix(PROMPT).map(str::to_owned))
    }

    /// Everything it still says, until it ends by itself.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.next()).collect()
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, what: &str) {
        assert_eq!(self.next().as_deref(), Some(what));
    }

    /// Lets it go on from where it waits.
    pub(crate) fn go_on(&mut self) {
        self.told.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    pub(crate) fn lift_the_limit(&self) {
        let pid = self.child.id().to_string();
        let lifted = Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited:"]).status().unwrap();
        assert!(lifted.success(), "prlimit: {lifted}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What this process was told to do; `None` where it is no child.
pub(crate) fn orders() -> Option<Vec<String>> {
    let orders = std::env::var_os(ORDERS)?.into_string().unwrap();
    Some(orders.lines().map(str::to_owned).collect())
}

/// Says something to the parent, in one write.
pub(crate) fn say(what: &str) {
    stdout().lock().write_all(format!("\n{PROMPT}{what}\n").as_bytes()).unwrap();
}

/// Waits until the parent says to go on.
pub(crate) fn wait() {
    std::io::stdin().lines().next();
}
