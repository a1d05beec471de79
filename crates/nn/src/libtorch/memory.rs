//! The memory that libtorch frees stays with the process.
//!
//! Every layer asks for maps of megabytes and frees them soon after. glibc gives such memory back to the system, which clears
//! each of its pages before it gives them again: of what `precompute` does, that was one twentieth. The peak is what it was.

/// From where on glibc asks the system for memory of its own, and how much it may have in stock before it gives some back.
const THRESHOLD_BYTES: i32 = 1 << 30;

/// How much more than needed it asks for. Only what is used is there in fact.
const MORE_BYTES: i32 = 128 << 20;

/// Has glibc keep what is freed from now on, in every thread.
pub(super) fn keep() {
    for (parameter, bytes) in [
        (libc::M_MMAP_THRESHOLD, THRESHOLD_BYTES),
        (libc::M_TRIM_THRESHOLD, THRESHOLD_BYTES),
        (libc::M_TOP_PAD, MORE_BYTES),
    ] {
        // SAFETY: sets a number, with glibc's lock held. What it does not accept it leaves as it was, which costs time only.
        unsafe { libc::mallopt(parameter, bytes) };
    }
}

#[cfg(test)]
mod tests {
    /// How often this thread had to wait for a page of memory.
    fn faults() -> u64 {
        let stat = fs_err::read_to_string("/proc/thread-self/stat").unwrap();
        // The name in brackets may hold blanks; minflt is the eighth field behind it.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').nth(7).unwrap().parse().unwrap()
    }

    /// Those of asking for 48 MB, using them, and freeing them.
    fn faults_of_a_map() -> u64 {
        let before = faults();
        std::hint::black_box(vec![1u8; 48 << 20]);
        faults() - before
    }

    #[test]
    fn memory_that_was_freed_is_used_again_as_it_is_in_every_thread() {
        super::keep();
        let of_threads = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..2).map(|_| scope.spawn(|| (faults_of_a_map(), faults_of_a_map()))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        for (first, second) in of_threads {
            // 24 where pages are of 2 MB, else 12,288.
            assert!(first >= 20 && second < 10, "{first}, then {second}");
        }
    }
}
