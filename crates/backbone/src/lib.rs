//! The `backbone` stage: pretrained weights as an artifact, fetched, checked and converted once.
//!
//! In: a weight file (official, or one of the user's). Out: `trunk.safetensors`, the network up to its
//! last feature map under its published tensor names, `classifier.safetensors`, what comes after, where the
//! file has it, and `backbone.json`, what it is and how photos must be prepared for it. Every later stage takes the trunk from here; see `README.md`.

mod error;

use std::collections::BTreeMap;
use std::path::Path;

use pipeline_nn::artifact::{BACKBONE_FILE, BackboneRecord, CLASSIFIER_FILE, TRUNK_FILE};
use pipeline_nn::backbones::{self, Backbone};
use pipeline_nn::{Device, libtorch, weights};
use pipeline_stage::params::{Parameters, Problem, SourcePath};
use pipeline_stage::source::{Remote, Shape, Source, check_fetch};
use pipeline_stage::{Context, Cost, Failure, Hint, Stage, Summary};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use error::Error;

/// The stage kind `backbone`.
#[derive(Debug, Clone, Copy)]
pub struct BackboneStage;

/// Parameters of `backbone`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Architecture of the network: resnet18, resnet34, resnet50, resnet101 or efficientnet_lite0.
    #[serde(default = "default_arch")]
    pub arch: String,
    /// Weight file to use instead of the official one: .safetensors or .pth, with the architecture's published tensor names.
    #[serde(default)]
    pub weights: Option<SourcePath>,
    /// Address from which that file is fetched when it is not there.
    #[serde(default)]
    pub fetch: Option<String>,
    /// SHA-256 that the fetched file must have, or at least its first 8 digits; without it the first one fetched is recorded.
    #[serde(default)]
    pub fetch_sha256: Option<String>,
}

/// The lesson's network.
fn default_arch() -> String {
    "resnet34".to_owned()
}

impl Parameters for Params {
    fn check(&self, problems: &mut Vec<Problem>) {
        if let Err(unknown) = backbones::find(&self.arch) {
            let mut problem = Problem::new("arch", unknown.to_string());
            problem.hint = unknown.hint();
            problems.push(problem);
        }
        let weights = self.weights.as_ref().map(|path| path.0.as_path());
        if self.fetch.is_some() && weights.is_none() {
            problems.push(
                Problem::new("fetch", "expected `weights` beside it, which says where the file is put")
                    .hint("the official file of an architecture needs neither"),
            );
        }
        check_fetch(self.fetch.as_deref(), self.fetch_sha256.as_deref(), ("weights", weights), problems);
    }
}

impl Stage for BackboneStage {
    const KIND: &'static str = "backbone";
    const VERSION: u32 = 3;
    const SUMMARY: &'static str = "pretrained weights, fetched, checked and converted once";
    const PRODUCES: &'static str = "backbone";
    const INPUTS: &'static [pipeline_stage::Input] = &[];
    const USES_SEED: bool = false;
    const LOCATORS: &'static [&'static str] = &["weights", "fetch", "fetch_sha256"];
    type Params = Params;

    fn sources(params: &Params) -> Vec<Source> {
        match (&params.weights, backbones::find(&params.arch)) {
            (Some(path), _) => vec![Source {
                name: "weights",
                param: "weights",
                path: path.0.clone(),
                shape: Shape::File,
                fetch: Remote::of(params.fetch.as_ref(), params.fetch_sha256.as_ref()),
                missing_hint: match &params.fetch {
                    Some(url) => format!("get {url} in another way and put it at {{path}}"),
                    None => {
                        "set `weights` to a .safetensors or .pth file, or remove it to use the official one"
                            .to_owned()
                    }
                },
            }],
            (None, Ok(backbone)) => vec![official(backbone)],
            // Parameters were checked, so the architecture is known.
            (None, Err(_)) => vec![],
        }
    }

    fn cost(_: &Params, _: u64) -> Cost {
        // The largest weight file has 180 MB; it is read, its tensors are made, and those are written.
        Cost::one_thread(600_000_000)
    }

    fn run(params: &Params, cx: &Context<'_>) -> Result<Summary, Failure> {
        let backbone = backbones::find(&params.arch)?;
        let path = cx.source("weights");

        let (sha256, is_official) = match params.weights {
            None => (check_official(backbone, path)?, true),
            Some(_) => {
                let sha256 = sha256(path).map_err(Error::Io)?;
                let is_official = sha256.starts_with(backbone.pretrained.sha256);
                (sha256, is_official)
            }
        };
        cx.cancel.check()?;

        libtorch::load()?;
        let file = weights::read(path)?;
        let trunk = backbone.load(&file, Device::Cpu)?;
        cx.cancel.check()?;

        weights::write_safetensors(&cx.out.join(TRUNK_FILE), trunk.named_tensors(), &BTreeMap::new())?;
        let record = BackboneRecord::new(backbone, &sha256, is_official);
        record.write(&cx.out.join(BACKBONE_FILE))?;

        let mut line = format!("{}, sha256 {}…", backbone.arch, &sha256[..8]);
        match backbone.classifier(&file, Device::Cpu)? {
            Some(classifier) => {
                let path = cx.out.join(CLASSIFIER_FILE);
                weights::write_safetensors(&path, &classifier.named_tensors(), &BTreeMap::new())?;
            }
            None => line += ", without its classifier: no logits",
        }
        Ok(Summary { line, ..Summary::default() })
    }
}

/// Whether the file at `path` is the official one of `backbone`; its SHA-256.
///
/// # Errors
/// [`Error::NotTheOfficialFile`] where it is another one, or damaged; when it cannot be read.
pub fn check_official(backbone: &Backbone, path: &Path) -> Result<String, Error> {
    let pretrained = &backbone.pretrained;
    let found = sha256(path).map_err(Error::Io)?;
    if found.starts_with(pretrained.sha256) {
        return Ok(found);
    }
    let obtain = match pretrained.url {
        Some(_) => "delete it to fetch it again".to_owned(),
        None => pretrained.obtain.to_owned(),
    };
    Err(Error::NotTheOfficialFile {
        path: path.to_owned(),
        expected: pretrained.sha256.to_owned(),
        found,
        obtain,
    })
}

/// SHA-256 of a file in hexadecimal.
fn sha256(path: &Path) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    std::io::copy(&mut fs_err::File::open(path)?, &mut hasher)?;
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Where official weights lie, relative to the project root.
pub const WEIGHTS_FOLDER: &str = "data/weights";

/// The official weight file of a backbone: looked for in [`WEIGHTS_FOLDER`], else fetched.
pub fn official(backbone: &Backbone) -> Source {
    let pretrained = &backbone.pretrained;
    let path = Path::new(WEIGHTS_FOLDER).join(pretrained.file);
    Source {
        name: "weights",
        param: "arch",
        missing_hint: format!(
            "put the file at {{path}}{}, or set `weights` to a .safetensors or .pth file",
            if pretrained.obtain.is_empty() { String::new() } else { format!(" ({})", pretrained.obtain) }
        ),
        path,
        shape: Shape::File,
        fetch: pretrained
            .url
            .map(|url| Remote { url: url.to_owned(), sha256: Some(pretrained.sha256.to_owned()) }),
    }
}
