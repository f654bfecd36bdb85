//! The real binary, in a process of its own: what can be killed.

use std::{
    fs::File,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use postroom_test_support::free_port;

use crate::rig::Rig;

/// A worker in a process of its own. Killed when dropped.
pub(crate) struct Worker {
    child: Child,
    /// What it logs.
    pub(crate) log: PathBuf,
}

impl Rig {
    /// Starts a worker that logs everything it can.
    pub(crate) fn worker(&self, name: &str) -> Worker {
        let log = self.directory.path().join(format!("{name}.log"));
        let child = Command::new(env!("CARGO_BIN_EXE_smtp-sender"))
            .args(&self.arguments[1..])
            .arg(format!("--listen=127.0.0.1:{}", free_port().unwrap()))
            .args(["--log", "trace"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Worker { child, log }
    }
}

impl Worker {
    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; gives whether it ended well.
    pub(crate) fn terminate(&mut self) -> bool {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().success()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
