//! What a process has used, as Linux tells it in /proc (proc(5)).

use anyhow::{Context, Result};

/// Clock ticks a second in /proc: fixed at 100 on every Linux that user programs see.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process has used since it began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Usage {
    /// Processor time in user and system mode, in seconds.
    pub(crate) cpu_seconds: f64,
    /// The most resident memory it ever had, in MiB.
    pub(crate) peak_mib: f64,
}

/// Reads the usage of a running process.
///
/// # Errors
/// The process has ended.
pub(crate) fn of_process(pid: u32) -> Result<Usage> {
    let read = |file: &str| {
        std::fs::read_to_string(format!("/proc/{pid}/{file}"))
            .with_context(|| format!("process {pid} has ended before it was measured"))
    };
    let usage = Usage {
        cpu_seconds: cpu_seconds(&read("stat")?)
            .with_context(|| format!("/proc/{pid}/stat is not as expected"))?,
        peak_mib: peak_mib(&read("status")?).with_context(|| format!("/proc/{pid}/status has no VmHWM"))?,
    };
    Ok(usage)
}

/// Fields 14 and 15 of `stat`, counted behind the command's name, which may itself hold spaces and parentheses.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let ticks: f64 = fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?;
    Some(ticks / TICKS_PER_SECOND)
}

/// `VmHWM` of `status`, in kB there.
fn peak_mib(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_behind_an_odd_name() {
        let stat = "77 (od) d (name) S 1 77 77 0 -1 4194560 900 0 0 0 250 50 0 0 20 0 3 0 100 1000 10 0";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(
            peak_mib("Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t   20480 kB\n"),
            Some(20.0)
        );
        assert_eq!(peak_mib("Name:\tx\n"), None);
    }

    #[test]
    fn this_process_can_be_measured() {
        let usage = of_process(std::process::id()).unwrap();
        assert!(usage.peak_mib > 1.0, "{usage:?}");
    }
}
