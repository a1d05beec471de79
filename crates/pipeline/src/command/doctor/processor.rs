//! The processor and its threads.

use pipeline_nn::Dtype;

use super::check::Check;
use crate::command::job::available_threads;

/// Features that computing gains from: their flags in `/proc/cpuinfo`, and names.
const FEATURES: [(&str, &str); 4] =
    [("avx2", "AVX2"), ("avx512f", "AVX-512"), ("avx512_bf16", "AVX512-BF16"), ("amx_bf16", "AMX")];

/// What Linux says of the processors.
#[derive(Debug, Default, PartialEq)]
struct Processors {
    name: String,
    count: usize,
    features: Vec<&'static str>,
}

impl Processors {
    fn here() -> Option<Processors> {
        fs_err::read_to_string("/proc/cpuinfo").ok().map(|text| Processors::read(&text))
    }

    fn read(cpuinfo: &str) -> Processors {
        let values = |name: &'static str| {
            let named =
                move |line: &'_ str| line.split_once(':').filter(|(key, _)| key.trim() == name).is_some();
            cpuinfo
                .lines()
                .filter(move |line| named(line))
                .filter_map(|line| Some(line.split_once(':')?.1.trim()))
        };
        let flags: Vec<&str> = values("flags").next().unwrap_or_default().split(' ').collect();
        let features = FEATURES.iter().filter(|(flag, _)| flags.contains(flag)).map(|(_, name)| *name);
        Processors {
            name: values("model name").next().unwrap_or("of a name that the system does not tell").to_owned(),
            count: values("processor").count(),
            features: features.collect(),
        }
    }
}

/// Its name, what it can, and what `dtype: auto` takes there.
pub(super) fn processor() -> Vec<Check> {
    let dtype = Dtype::Auto.settled().as_str();
    vec![match Processors::here() {
        Some(found) => judged(&found, dtype),
        None => Check::ok("processor", format!("the system does not describe it; `dtype: auto` is {dtype}")),
    }]
}

fn judged(found: &Processors, dtype: &str) -> Check {
    let features = if found.features.is_empty() { "no AVX2".to_owned() } else { found.features.join(", ") };
    let text = format!("{}, {} of them, {features}; `dtype: auto` is {dtype}", found.name, found.count);
    // Elsewhere than on x86 there is no such feature to miss.
    let is_slow = cfg!(target_arch = "x86_64") && !found.features.contains(&"AVX2");
    match is_slow {
        true => Check::note(
            "processor",
            text,
            "without AVX2 a run takes many times as long: use a processor of after 2013",
        ),
        false => Check::ok("processor", text),
    }
}

/// How many a run would use.
pub(super) fn threads() -> Vec<Check> {
    let count = Processors::here().map(|found| found.count);
    let set = ["OMP_NUM_THREADS", "RAYON_NUM_THREADS"];
    let set = set.into_iter().filter_map(|name| Some(format!("{name}={}", std::env::var(name).ok()?)));
    vec![counted(available_threads().get(), count, &set.collect::<Vec<_>>())]
}

fn counted(threads: usize, processors: Option<usize>, set: &[String]) -> Check {
    let text = match threads {
        1 => "1 for a run".to_owned(),
        n => format!("{n} for a run"),
    };
    let set = if set.is_empty() { String::new() } else { format!("; {}", set.join(", ")) };
    match processors.filter(|all| *all > threads) {
        Some(all) => Check::note(
            "threads",
            format!("{text}, although there are {all} processors{set}"),
            "a mask (`taskset`), a container or a batch job allows no more; ask it for more",
        ),
        None => Check::ok("threads", format!("{text}{set}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Standing;
    use super::*;

    const CPUINFO: &str = "processor\t: 0\nmodel name\t: AMD EPYC 9R14\nflags\t\t: fpu avx2 avx512f avx512_bf16\n\n\
                           processor\t: 1\nmodel name\t: AMD EPYC 9R14\nflags\t\t: fpu avx2\n";

    #[test]
    fn name_count_and_features_are_read() {
        let found = Processors::read(CPUINFO);
        let features = vec!["AVX2", "AVX-512", "AVX512-BF16"];
        assert_eq!(found, Processors { name: "AMD EPYC 9R14".to_owned(), count: 2, features });
        let check = judged(&found, "bf16");
        let expected = "AMD EPYC 9R14, 2 of them, AVX2, AVX-512, AVX512-BF16; `dtype: auto` is bf16";
        assert_eq!(check, Check::ok("processor", expected));
        assert_eq!(Processors::read("").count, 0);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_processor_without_avx2_is_slow() {
        let found = Processors { name: "old".to_owned(), count: 1, features: vec![] };
        let check = judged(&found, "f32");
        assert_eq!(
            (check.standing, check.found.as_str()),
            (Standing::Note, "old, 1 of them, no AVX2; `dtype: auto` is f32")
        );
    }

    #[test]
    fn fewer_threads_than_processors_are_noted() {
        assert_eq!(counted(2, Some(2), &[]), Check::ok("threads", "2 for a run"));
        assert_eq!(
            counted(2, None, &["OMP_NUM_THREADS=1".to_owned()]).found,
            "2 for a run; OMP_NUM_THREADS=1"
        );
        let few = counted(1, Some(64), &[]);
        assert_eq!(
            (few.standing, few.found.as_str()),
            (Standing::Note, "1 for a run, although there are 64 processors")
        );
    }
}
