//! [`Weights`]: the pretrained network that a config names: one whose weights are at hand, else the lesson's.

use std::path::{Path, PathBuf};

use pipeline_backbone::{WEIGHTS_FOLDER, official};
use pipeline_nn::Backbone;
use pipeline_nn::backbones::BACKBONES;

/// The lesson's network, which comes first.
const LESSONS: &str = "resnet34";

/// A network, and where its weights are.
#[derive(Debug, Clone)]
pub(super) struct Weights {
    pub(super) backbone: &'static Backbone,
    pub(super) at: At,
}

/// Where weights are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum At {
    /// The official file is in its place.
    Official(PathBuf),
    /// Another file there has the network's name; relative to the project root.
    Own(PathBuf),
    /// Nowhere yet.
    Nowhere,
}

impl Weights {
    /// The first network whose weights lie in the project; the lesson's where none does.
    pub(super) fn of(root: &Path) -> Weights {
        let lessons = BACKBONES.iter().filter(|backbone| backbone.arch == LESSONS);
        let others = || BACKBONES.iter().filter(|backbone| backbone.arch != LESSONS);
        let all: Vec<&Backbone> = lessons.chain(others()).collect();
        let official = all.iter().find_map(|backbone| {
            let path = official(backbone).path;
            root.join(&path).is_file().then_some(Weights { backbone, at: At::Official(path) })
        });
        let own = || {
            let files = files_in(&root.join(WEIGHTS_FOLDER));
            all.iter().find_map(|backbone| {
                let file = files.iter().find(|file| is_of(file, backbone.arch))?;
                Some(Weights { backbone, at: At::Own(Path::new(WEIGHTS_FOLDER).join(file)) })
            })
        };
        official.or_else(own).unwrap_or_else(|| Weights { backbone: all[0], at: At::Nowhere })
    }

    /// Which they are, and how to get them.
    pub(super) fn text(&self) -> String {
        let (arch, file) = (self.backbone.arch, self.backbone.pretrained.file);
        match &self.at {
            At::Official(path) => format!("weights: {arch}, {}", path.display()),
            At::Own(path) => format!("weights: {arch}, {} (not the official ones)", path.display()),
            At::Nowhere => match self.backbone.pretrained.url {
                Some(url) => format!(
                    "weights: {arch}; the first run fetches {url}; without a network put {file} into {WEIGHTS_FOLDER}/"
                ),
                None => format!("weights: {arch}; put {file} into {WEIGHTS_FOLDER}/"),
            },
        }
    }
}

/// Names of the weight files in a folder, sorted.
fn files_in(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.path().is_file());
    let names = files.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter(|name| name.ends_with(".safetensors") || name.ends_with(".pth")).collect();
    names.sort_unstable();
    names
}

/// `resnet18_mine.pth` is of `resnet18`, and `resnet180.pth` is not.
fn is_of(file: &str, arch: &str) -> bool {
    file.strip_prefix(arch).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_at_hand_are_chosen_the_official_ones_first_and_the_lessons_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let put = |file: &str| {
            fs_err::create_dir_all(dir.path().join(WEIGHTS_FOLDER)).unwrap();
            fs_err::write(dir.path().join(WEIGHTS_FOLDER).join(file), "").unwrap();
        };
        let found = || {
            let found = Weights::of(dir.path());
            (found.backbone.arch, found.at.clone(), found.text())
        };
        let (arch, at, text) = found();
        assert_eq!((arch, at), ("resnet34", At::Nowhere));
        let expected = "weights: resnet34; the first run fetches https://download.pytorch.org/models/resnet34-b627a593.pth; \
                        without a network put resnet34-b627a593.pth into data/weights/";
        assert_eq!(text, expected);
        put("resnet1.safetensors");
        put("resnet18_mine.safetensors");
        let (arch, at, text) = found();
        assert_eq!((arch, at), ("resnet18", At::Own("data/weights/resnet18_mine.safetensors".into())));
        assert_eq!(text, "weights: resnet18, data/weights/resnet18_mine.safetensors (not the official ones)");
        let efficientnet = BACKBONES.iter().find(|backbone| backbone.arch == "efficientnet_lite0").unwrap();
        put(efficientnet.pretrained.file);
        assert_eq!(found().0, "efficientnet_lite0");
        put("resnet34-b627a593.pth");
        assert_eq!(found().2, "weights: resnet34, data/weights/resnet34-b627a593.pth");
    }
}
