//! [`Error`]: everything that can go wrong in this crate, with its words.

use std::fmt;
use std::path::PathBuf;

use pipeline_stage::{Digest, Hint};
use tch::TchError;

/// Why a network could not be built, fed, trained, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No entry of [`BACKBONES`](crate::backbones::BACKBONES) has this name.
    #[error("unknown architecture `{arch}`, expected one of: {known}")]
    UnknownBackbone {
        /// The name asked for.
        arch: String,
        /// The known names.
        known: String,
        /// The known name most like it.
        nearest: Option<&'static str>,
    },

    /// A file could not be opened, read or written. The message has its path.
    #[error(transparent)]
    Io(#[from] std::io::Error),

    /// A file is in none of the formats that are read.
    #[error(
        "cannot read weights from `{}`: neither a safetensors file nor a `.pth` file of PyTorch, it starts with {start}",
        path.display()
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// Its first bytes, for people.
        start: String,
    },

    /// A file of a known format does not hold together: cut short, or changed.
    #[error("cannot read weights from `{}`: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        problem: String,
    },

    /// A well-formed file uses something that this reader does not support.
    #[error("cannot read weights from `{}`: {problem}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it uses, and what is supported.
        problem: String,
    },

    /// A `.pth` file asks for something other than tensors in dictionaries. Nothing was executed.
    #[error("cannot read weights from `{}`: forbidden pickle operation `{operation}`", path.display())]
    ForbiddenPickle {
        /// The file.
        path: PathBuf,
        /// The Python name that it wants to load, or the operation.
        operation: String,
    },

    /// The weights are complete, for another architecture.
    #[error("cannot build {network} from `{origin}`: these look like {found} weights")]
    OtherArchitecture {
        /// What was being built.
        network: &'static str,
        /// Where the weights came from.
        origin: String,
        /// The architecture that they fit.
        found: &'static str,
    },

    /// The weights lack a tensor.
    #[error("cannot build {network} from `{origin}`: tensor `{tensor}` is missing{}", and_others(*others))]
    MissingTensor {
        /// What was being built.
        network: &'static str,
        /// Where the weights came from.
        origin: String,
        /// The first tensor that is missing.
        tensor: String,
        /// How many more are.
        others: usize,
    },

    /// A tensor has another shape than the network needs.
    #[error(
        "cannot build {network} from `{origin}`: tensor `{tensor}` has shape {found:?}, expected {expected:?}"
    )]
    WrongShape {
        /// What was being built.
        network: &'static str,
        /// Where the weights came from.
        origin: String,
        /// The tensor.
        tensor: String,
        /// Its shape.
        found: Vec<i64>,
        /// The shape that the network needs.
        expected: Vec<i64>,
    },

    /// A batch does not fit the network.
    #[error("cannot run {network} on a batch of shape {found:?}, expected {expected}")]
    WrongInput {
        /// What was being run.
        network: &'static str,
        /// Shape of the batch.
        found: Vec<i64>,
        /// The shape that fits, for people.
        expected: String,
    },

    /// A head cannot be trained on a single photo: batch norm's statistics would be not a number.
    #[error("cannot train on a batch of one photo: batch norm needs at least two")]
    BatchOfOne,

    /// [`Optimizer::step`](crate::Optimizer::step) was given another number of rates than it has groups.
    #[error("cannot step: {found} learning rates for {expected} parameter groups")]
    RateCount {
        /// How many were given.
        found: usize,
        /// How many groups there are.
        expected: usize,
    },

    /// [`Optimizer::new`](crate::Optimizer::new) was given two parameters of one name.
    #[error("cannot make an optimiser: two parameters are called `{name}`, expected each name once")]
    SameParameter {
        /// The name.
        name: String,
    },

    /// What a checkpoint remembers is not of the optimiser, or of the network, that is to continue from it.
    #[error("cannot restore {what}: found {found} for tensor `{tensor}`, expected {expected}")]
    WrongState {
        /// What was being restored.
        what: &'static str,
        /// The tensor.
        tensor: String,
        /// What the checkpoint has, for people.
        found: String,
        /// What is needed, for people.
        expected: String,
    },

    /// `backbone.json` or `model.json` is not what its name says.
    #[error("cannot read `{}`: expected a record written by `pipeline`, {source}", path.display())]
    MalformedRecord {
        /// The file.
        path: PathBuf,
        /// What the JSON reader says.
        source: serde_json::Error,
    },

    /// `backbone.json` or `model.json` was written by another version.
    #[error("cannot read `{}`: expected format {expected}, found format {found}", path.display())]
    RecordFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The format that is read.
        expected: u32,
    },

    /// `backbone.json` or `model.json` is too large to be one.
    #[error("cannot read `{}`: it has {size_bytes} bytes, at most {limit_bytes} are read", path.display())]
    LargeRecord {
        /// The file.
        path: PathBuf,
        /// Its size.
        size_bytes: u64,
        /// The size that is read.
        limit_bytes: u64,
    },

    /// A record asks for what no model has.
    #[error("cannot use the model of `{}`: {problem}", path.display())]
    Unusable {
        /// `model.json`.
        path: PathBuf,
        /// What was found and what was expected.
        problem: String,
    },

    /// The files of a model folder are whole, but of different models.
    #[error("cannot load the model of `{}`: found {found} {what}, expected {expected}", path.display())]
    Inconsistent {
        /// `model.json`.
        path: PathBuf,
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many the other files call for.
        expected: usize,
    },

    /// A number has no place in the format that it was to be written in.
    #[error(
        "cannot write tensor `{tensor}` in {precision}: it has numbers beyond {largest:.4e}, the largest there"
    )]
    OutOfRange {
        /// The tensor.
        tensor: String,
        /// The format.
        precision: &'static str,
        /// Its largest number.
        largest: f64,
    },

    /// A file of a model folder is not the one that its record names.
    #[error("`{}` is not the file that model.json names: expected the digest {expected}, found {found}", path.display())]
    OtherFile {
        /// The file.
        path: PathBuf,
        /// Its BLAKE3.
        found: Digest,
        /// That of the record.
        expected: Digest,
    },
    /// libtorch could not be loaded.
    #[error("cannot load libtorch, which this program expects in `{}`: {problem}", folder.display())]
    Libtorch {
        /// The folder whose libtorch the program was built with.
        folder: PathBuf,
        /// What the system's loader said.
        problem: String,
    },

    /// libtorch refused.
    #[error("cannot {doing}: {message}")]
    Torch {
        /// What was being done.
        doing: String,
        /// The first line of libtorch's message.
        message: String,
    },
}

impl Error {
    /// For `map_err`: an error of libtorch while `doing` something. Only the first line is kept, the rest is
    /// a C++ backtrace.
    pub fn torch(doing: impl fmt::Display) -> impl FnOnce(TchError) -> Error {
        move |error| {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            let message = line.strip_prefix("Internal torch error: ").unwrap_or(line).to_owned();
            Error::Torch { doing: doing.to_string(), message }
        }
    }
}

impl Error {
    /// libtorch's message, where it says that there is too little memory, of the processor or of a GPU.
    pub fn out_of_memory(&self) -> Option<&str> {
        match self {
            Error::Torch { message, .. } if is_out_of_memory(message) => Some(message),
            _ => None,
        }
    }
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::UnknownBackbone { nearest, .. } => nearest.map(|name| format!("did you mean `{name}`?")),
            Error::UnknownFormat { .. } => {
                Some("give a .safetensors file, or a .pth file written by `torch.save(model.state_dict(), path)`".to_owned())
            }
            Error::Damaged { .. } => Some("fetch or copy the file again".to_owned()),
            Error::Unsupported { .. } => Some("convert the file to safetensors with float32 tensors".to_owned()),
            Error::ForbiddenPickle { .. } => Some(
                "nothing in the file was executed; use a file that holds only tensors: .safetensors, or a .pth written by `torch.save(model.state_dict(), path)`"
                    .to_owned(),
            ),
            Error::OtherArchitecture { network, found, .. } => {
                Some(format!("set `arch` to `{found}`, or give weights of {network}"))
            }
            Error::MalformedRecord { .. } => Some("make the artifact again with `--force STAGE`".to_owned()),
            Error::RecordFormat { .. } => {
                Some("use the version of `pipeline` that wrote it, or make the artifact again".to_owned())
            }
            Error::MissingTensor { network, .. } | Error::WrongShape { network, .. } => {
                Some(format!("give weights of {network}, complete and under their published names"))
            }
            Error::OutOfRange { .. } => Some("write it in bf16 or f32".to_owned()),
            Error::OtherFile { .. } | Error::Inconsistent { .. } | Error::Unusable { .. } => Some("copy the whole folder of the model again".to_owned()),
            error if error.out_of_memory().is_some() => {
                Some("lower `batch_size`, or free some memory".to_owned())
            }
            Error::WrongState { .. } => {
                Some("continue with the network and the recipe that it was saved with, or start afresh".to_owned())
            }
            Error::Libtorch { .. } => Some(format!(
                "put libtorch {} there (`cargo xtask libtorch` fills .tools/libtorch), or name its folder in LD_LIBRARY_PATH",
                crate::libtorch::VERSION
            )),
            Error::BatchOfOne => Some("add photos, or choose another batch size".to_owned()),
            _ => None,
        }
    }
}

/// Whether libtorch had no memory, on a processor or on a GPU.
fn is_out_of_memory(message: &str) -> bool {
    // The allocators of c10 for the processor and for CUDA, the library of C++, the system, cuBLAS and cuDNN.
    let said = [
        "not enough memory",
        "out of memory",
        "alloc_cpu",
        "bad_alloc",
        "Cannot allocate memory",
        "ALLOC_FAILED",
    ];
    said.iter().any(|words| message.contains(words))
}

fn and_others(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => ", and 1 other".to_owned(),
        n => format!(", and {n} others"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_text(error: Error, message: &str, hint: Option<&str>) {
        assert_eq!(error.to_string(), message);
        assert_eq!(error.hint().as_deref(), hint);
    }

    /// The texts are those of PyTorch 2.13 (`c10/core/impl/alloc_cpu.cpp`, `c10/cuda/CUDACachingAllocator.cpp`, cuBLAS, cuDNN) and of
    /// the library of C++.
    #[test]
    fn too_little_memory_is_known_on_a_processor_and_a_gpu_and_told_from_other_refusals() {
        let texts = [
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes. Error code 12 (Cannot allocate memory)",
            "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.75 GiB",
            "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
            "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
            "std::bad_alloc",
        ];
        let torch = |message: &str| Error::Torch { doing: "run".into(), message: message.into() };
        for text in texts {
            assert_eq!(torch(text).out_of_memory(), Some(text));
        }
        let other =
            "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1";
        assert_eq!(torch(other).out_of_memory(), None);
        assert_eq!(Error::BatchOfOne.out_of_memory(), None);
    }

    #[test]
    fn each_error_says_what_where_and_the_way_out() {
        assert_text(
            Error::UnknownBackbone {
                arch: "resnet33".into(),
                known: "resnet18, resnet34".into(),
                nearest: Some("resnet34"),
            },
            "unknown architecture `resnet33`, expected one of: resnet18, resnet34",
            Some("did you mean `resnet34`?"),
        );
        assert_text(
            Error::UnknownFormat { path: "w.pth".into(), start: "`<!DOCTYP`".into() },
            "cannot read weights from `w.pth`: neither a safetensors file nor a `.pth` file of PyTorch, it starts with `<!DOCTYP`",
            Some(
                "give a .safetensors file, or a .pth file written by `torch.save(model.state_dict(), path)`",
            ),
        );
        assert_text(
            Error::OtherFile {
                path: "m/head.safetensors".into(),
                found: Digest::of(b"a"),
                expected: Digest::of(b""),
            },
            "`m/head.safetensors` is not the file that model.json names: expected the digest af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262, found 17762fddd969a453925d65717ac3eea21320b66b54342fde15128d6caf21215f",
            Some("copy the whole folder of the model again"),
        );
        assert_text(
            Error::LargeRecord { path: "m/model.json".into(), size_bytes: 12, limit_bytes: 10 },
            "cannot read `m/model.json`: it has 12 bytes, at most 10 are read",
            None,
        );
        assert_text(
            Error::Unusable { path: "m/model.json".into(), problem: "`classes` is empty".into() },
            "cannot use the model of `m/model.json`: `classes` is empty",
            Some("copy the whole folder of the model again"),
        );
        assert_text(
            Error::Inconsistent {
                path: "m/model.json".into(),
                what: "names in `classes`",
                found: 3,
                expected: 2,
            },
            "cannot load the model of `m/model.json`: found 3 names in `classes`, expected 2",
            Some("copy the whole folder of the model again"),
        );
        assert_text(
            Error::OutOfRange { tensor: "a".into(), precision: "f16", largest: 65_504.0 },
            "cannot write tensor `a` in f16: it has numbers beyond 6.5504e4, the largest there",
            Some("write it in bf16 or f32"),
        );
        assert_text(
            Error::Torch {
                doing: "run the trunk".into(),
                message: "[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.".into(),
            },
            "cannot run the trunk: [enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.",
            Some("lower `batch_size`, or free some memory"),
        );
        assert_text(
            Error::Damaged { path: "w.safetensors".into(), problem: "it has 90 bytes, expected 100".into() },
            "cannot read weights from `w.safetensors`: it has 90 bytes, expected 100",
            Some("fetch or copy the file again"),
        );
        assert_text(
            Error::Unsupported { path: "w.pth".into(), problem: "it is big-endian".into() },
            "cannot read weights from `w.pth`: it is big-endian",
            Some("convert the file to safetensors with float32 tensors"),
        );
        assert_text(
            Error::ForbiddenPickle { path: "w.pth".into(), operation: "os.system".into() },
            "cannot read weights from `w.pth`: forbidden pickle operation `os.system`",
            Some(
                "nothing in the file was executed; use a file that holds only tensors: .safetensors, or a .pth written by `torch.save(model.state_dict(), path)`",
            ),
        );
        assert_text(
            Error::OtherArchitecture { network: "resnet18", origin: "w.pth".into(), found: "resnet50" },
            "cannot build resnet18 from `w.pth`: these look like resnet50 weights",
            Some("set `arch` to `resnet50`, or give weights of resnet18"),
        );
        assert_text(
            Error::MissingTensor {
                network: "resnet18",
                origin: "w.pth".into(),
                tensor: "conv1.weight".into(),
                others: 0,
            },
            "cannot build resnet18 from `w.pth`: tensor `conv1.weight` is missing",
            Some("give weights of resnet18, complete and under their published names"),
        );
        assert_text(
            Error::MissingTensor {
                network: "resnet18",
                origin: "w.pth".into(),
                tensor: "conv1.weight".into(),
                others: 7,
            },
            "cannot build resnet18 from `w.pth`: tensor `conv1.weight` is missing, and 7 others",
            Some("give weights of resnet18, complete and under their published names"),
        );
        assert_text(
            Error::WrongShape {
                network: "resnet18",
                origin: "w.pth".into(),
                tensor: "conv1.weight".into(),
                found: vec![64, 1, 7, 7],
                expected: vec![64, 3, 7, 7],
            },
            "cannot build resnet18 from `w.pth`: tensor `conv1.weight` has shape [64, 1, 7, 7], expected [64, 3, 7, 7]",
            Some("give weights of resnet18, complete and under their published names"),
        );
        assert_text(
            Error::WrongInput {
                network: "resnet18",
                found: vec![2, 1, 8, 9],
                expected: "[N, 3, H, W]".into(),
            },
            "cannot run resnet18 on a batch of shape [2, 1, 8, 9], expected [N, 3, H, W]",
            None,
        );
        assert_text(
            Error::Libtorch {
                folder: ".tools/libtorch/torch/lib".into(),
                problem: "libtorch_cpu.so: cannot open shared object file".into(),
            },
            "cannot load libtorch, which this program expects in `.tools/libtorch/torch/lib`: libtorch_cpu.so: cannot open shared object file",
            Some(
                "put libtorch 2.13 there (`cargo xtask libtorch` fills .tools/libtorch), or name its folder in LD_LIBRARY_PATH",
            ),
        );
        assert_text(
            Error::BatchOfOne,
            "cannot train on a batch of one photo: batch norm needs at least two",
            Some("add photos, or choose another batch size"),
        );
        assert_text(
            Error::RateCount { found: 2, expected: 3 },
            "cannot step: 2 learning rates for 3 parameter groups",
            None,
        );
        assert_text(
            Error::SameParameter { name: "bn1.weight".into() },
            "cannot make an optimiser: two parameters are called `bn1.weight`, expected each name once",
            None,
        );
        assert_text(
            Error::WrongState {
                what: "the optimiser's state",
                tensor: "fc.weight.velocity".into(),
                found: "shape [2, 3]".into(),
                expected: "shape [3, 2]".into(),
            },
            "cannot restore the optimiser's state: found shape [2, 3] for tensor `fc.weight.velocity`, expected shape [3, 2]",
            Some("continue with the network and the recipe that it was saved with, or start afresh"),
        );
    }

    #[test]
    fn an_error_of_libtorch_loses_its_backtrace() {
        let refused = tch::Tensor::from_slice(&[1f32, 2.0]).f_reshape([3]).map_err(Error::torch("reshape"));
        let text = refused.unwrap_err().to_string();
        assert_eq!(text, "cannot reshape: shape '[3]' is invalid for input of size 2");
    }
}
