//! [`free_memory`]: how much memory stages may take together, where the user does not say; [`Memory`] says why.

use std::path::{Path, PathBuf};

use crate::memory::bytes_of;

/// Bytes that this process can take before the system runs out, as Linux estimates it (`MemAvailable`), and no more than
/// the control groups around it leave (containers, Slurm). `None` where the system does not tell.
pub fn free_memory() -> Option<u64> {
    let of_machine = fs_err::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text));
    let groups = fs_err::read_to_string("/proc/self/cgroup").unwrap_or_default();
    groups_around(&groups).iter().filter_map(|folder| left_in(folder)).chain(of_machine).min()
}

/// The memory of the machine, and what of it this process may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// Bytes of the machine.
    pub total: Option<u64>,
    /// [`free_memory`].
    pub free: Option<u64>,
    /// Bytes that the control groups around this process allow it, the least of their limits.
    pub limit: Option<u64>,
}

impl Memory {
    /// As it is now.
    pub fn now() -> Memory {
        let total =
            fs_err::read_to_string("/proc/meminfo").ok().and_then(|text| bytes_of(&text, "MemTotal:"));
        let groups = fs_err::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let limit = groups_around(&groups).iter().filter_map(|folder| limit_of(folder)).min();
        Memory { total, free: free_memory(), limit }
    }
}

/// Bytes that a group allows.
fn limit_of(group: &Path) -> Option<u64> {
    fs_err::read_to_string(group.join("memory.max")).ok()?.trim().parse().ok()
}

fn available(meminfo: &str) -> Option<u64> {
    bytes_of(meminfo, "MemAvailable:")
}

/// The folders of the group of this process (`0::/a/b`) and of those around it, in version 2 of control groups.
fn groups_around(groups: &str) -> Vec<PathBuf> {
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"));
    let own = own.map(|path| Path::new("/sys/fs/cgroup").join(path));
    let around = own.iter().flat_map(|own| own.ancestors());
    around.take_while(|folder| folder.starts_with("/sys/fs/cgroup")).map(Path::to_owned).collect()
}

/// Bytes that a group's limit leaves: cached files, which the system drops where it needs the room, do not count as taken.
fn left_in(group: &Path) -> Option<u64> {
    let read = |name: &str| fs_err::read_to_string(group.join(name)).ok();
    let number = |text: String| text.trim().parse::<u64>().ok();
    let limit = limit_of(group)?;
    let taken = read("memory.current").and_then(number)?;
    let cached = read("memory.stat").and_then(|text| {
        text.lines().find_map(|line| line.strip_prefix("inactive_file ")).and_then(|n| n.parse().ok())
    });
    Some(limit.saturating_sub(taken.saturating_sub(cached.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_calls_available_is_read_in_units_of_1024_bytes() {
        assert_eq!(available("MemTotal:  9000 kB\nMemAvailable:    3000 kB\n"), Some(3000 * 1024));
        assert_eq!(available("MemTotal:  9000 kB\n"), None);
    }

    #[test]
    fn a_group_leaves_its_limit_without_what_is_taken_and_with_what_is_cached() {
        let group = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs_err::write(group.path().join(name), text).unwrap();
        assert_eq!(left_in(group.path()), None);
        write("memory.max", "max\n");
        write("memory.current", "700\n");
        assert_eq!(left_in(group.path()), None);
        assert_eq!(limit_of(group.path()), None);
        write("memory.max", "1000\n");
        assert_eq!(limit_of(group.path()), Some(1000));
        assert_eq!(left_in(group.path()), Some(300));
        write("memory.stat", "anon 500\ninactive_file 150\n");
        assert_eq!(left_in(group.path()), Some(450));
    }

    #[test]
    fn the_groups_around_a_process_are_all_looked_at() {
        let folders = groups_around("12:cpu:/x\n0::/slurm/job 7\n");
        let names = ["/sys/fs/cgroup/slurm/job 7", "/sys/fs/cgroup/slurm", "/sys/fs/cgroup"];
        assert_eq!(folders, names.map(PathBuf::from));
        assert_eq!(groups_around(""), [""; 0].map(PathBuf::from));
    }
}
