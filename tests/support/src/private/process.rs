//! One server process with its children.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// How long a server may take to stop when asked.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// How long to rest between two looks whether a process has ended.
const LOOK_PAUSE: Duration = Duration::from_millis(10);

/// How often a dropped server is looked at, until it has really ended.
const DROP_LOOKS: u32 = 500;

/// A running server. Killed with all its children when dropped.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    name: &'static str,
    server: Child,
    pid: u32,
    /// Kills the server if this test process dies without having dropped it. It waits for the end of a pipe.
    watchdog: Child,
}

impl ServerProcess {
    /// Starts a server in a process group of its own, with its output appended to `log`.
    pub(crate) fn start(name: &'static str, command: &mut Command, log: &Path) -> Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        let server = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting a private {name}"))?;
        let pid = server
            .id()
            .with_context(|| format!("the private {name} ended at once"))?;
        let watchdog = Command::new("bash")
            .args(["-c", &format!("read -r; kill -KILL -- -{pid}")])
            .process_group(0)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self {
            name,
            server,
            pid,
            watchdog,
        })
    }

    /// Waits until something listens on the port.
    pub(crate) async fn wait_for_port(&mut self, port: u16, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if let Some(status) = self.server.try_wait()? {
                bail!("the private {} ended while it was starting ({status})", self.name);
            }
            if Instant::now() >= deadline {
                bail!(
                    "the private {} does not listen on port {port} after {patience:?}",
                    self.name
                );
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Sends a signal to the server alone and waits until it has ended by itself, with all its children.
    pub(crate) async fn stop(self, signal: &str) -> Result<()> {
        let family = family_of(self.pid);
        signal_to(signal, &[self.pid]);
        self.wait_for_end(&family).await
    }

    /// Kills the server and all its children at once, as a machine does that loses power.
    pub(crate) async fn kill(self) -> Result<()> {
        let family = family_of(self.pid);
        signal_to("KILL", &family);
        self.wait_for_end(&family).await
    }

    async fn wait_for_end(mut self, family: &[u32]) -> Result<()> {
        let end = async {
            self.server.wait().await?;
            // The children may end after their parent, and then nobody waits for them: RabbitMQ's broker is the
            // child of a shell.
            while family.iter().any(|&pid| is_running(pid)) {
                sleep(LOOK_PAUSE).await;
            }
            anyhow::Ok(())
        };
        timeout(STOP_PATIENCE, end)
            .await
            .with_context(|| format!("the private {} did not stop within {STOP_PATIENCE:?}", self.name))??;
        self.watchdog.kill().await?;
        Ok(())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        if !matches!(self.server.try_wait(), Ok(None)) {
            return;
        }
        let family = family_of(self.pid);
        signal_to("KILL", &family);
        // Not for ever: a process that the kernel cannot end yet must not hang the test.
        for _ in 0..DROP_LOOKS {
            if !family.iter().any(|&pid| is_running(pid)) {
                return;
            }
            std::thread::sleep(LOOK_PAUSE);
        }
    }
}

fn signal_to(signal: &str, pids: &[u32]) {
    let pids = pids.iter().map(u32::to_string);
    let _ = std::process::Command::new("kill")
        .arg(format!("-{signal}"))
        .args(pids)
        .stderr(Stdio::null())
        .status();
}

/// A process and all that descend from it. Servers put their children into groups of their own, so that a
/// signal to the group would miss them.
fn family_of(pid: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = all_processes().collect();
    let mut family = vec![pid];
    let mut known = 0;
    while known < family.len() {
        let parent = family[known];
        family.extend(
            parents
                .iter()
                .filter(|(_, of)| *of == parent)
                .map(|(child, _)| *child),
        );
        known += 1;
    }
    family
}

/// Each process with its parent.
fn all_processes() -> impl Iterator<Item = (u32, u32)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, stat_of(pid)?.parent))
    })
}

/// Whether a process still holds its files and ports. One that nobody waits for stays a zombie, which holds nothing;
/// but the zombie of a killed process has threads for a moment, and these hold everything.
fn is_running(pid: u32) -> bool {
    stat_of(pid).is_some_and(|stat| stat.state != "Z" || stat.threads > 1)
}

/// Three of the fields of `/proc/PID/stat` (proc(5)).
struct Stat {
    state: String,
    parent: u32,
    threads: u32,
}

fn stat_of(pid: u32) -> Option<Stat> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field, the name in parentheses, may hold spaces: count from its end. The state is the third field.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let number = |field: usize| fields.get(field - 3)?.parse().ok();
    Some(Stat {
        state: (*fields.first()?).to_owned(),
        parent: number(4)?,
        threads: number(20)?,
    })
}
