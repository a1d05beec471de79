//! [`folder`]: the folder of the model that was named; where it is none, the models that are near it.

use std::path::{Path, PathBuf};

use pipeline_nn::artifact::MODEL_FILE;
use pipeline_runner::Store;

use super::Stop;
use crate::config;
use crate::stages::STAGES;

/// Models that a hint names.
const MOST_NAMED: usize = 8;

/// The folder of the model at `path`.
///
/// # Errors
/// It is something else: a config, another artifact, a folder of artifacts, or nothing.
pub(in crate::command) fn folder(path: &Path) -> Result<PathBuf, Stop> {
    if path.join(MODEL_FILE).is_file() {
        return Ok(path.to_owned());
    }
    let shown = path.display();
    let beside = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let refuse = |what: String, near: &Path| {
        Err(Stop::usage(
            format!("`{shown}` {what}, expected the folder of a model, with a {MODEL_FILE} in it"),
            hint(near),
        ))
    };
    if path.is_file() {
        if beside.join(MODEL_FILE).is_file() {
            return refuse("is a file of a model".to_owned(), beside);
        }
        if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            let job = config::load(path, &[], STAGES).ok();
            let out = job.map(|job| job.root.join("out").join(job.name));
            return refuse("is a config".to_owned(), &out.unwrap_or_else(|| beside.to_owned()));
        }
        return refuse("is a file".to_owned(), beside);
    }
    if !path.is_dir() {
        // A link that leads nowhere was one to an artifact that is gone.
        return refuse("is not there".to_owned(), beside);
    }
    match kind(path) {
        Some(kind) => refuse(format!("is an artifact of `{kind}`"), beside),
        None => refuse("is no model".to_owned(), path),
    }
}

/// The kind of the stage that made the artifact, where the folder is one.
fn kind(folder: &Path) -> Option<String> {
    Some(Store::manifest_at(folder)?.parts.kind)
}

/// Names the models in `near`, or in the folders in it.
fn hint(near: &Path) -> String {
    let models = models(near);
    match models.as_slice() {
        [] => "name what a stage that trains has left, such as out/CONFIG/head, or a copy of it".to_owned(),
        models => {
            let named =
                models.iter().take(MOST_NAMED).map(|path| path.display().to_string()).collect::<Vec<_>>();
            let more = if models.len() > MOST_NAMED { ", …" } else { "" };
            format!("give one of: {}{more}", named.join(", "))
        }
    }
}

/// The folder itself, or the models in it or in the folders in it, sorted.
fn models(near: &Path) -> Vec<PathBuf> {
    let is_model = |path: &PathBuf| path.join(MODEL_FILE).is_file();
    let inner = |folder: &Path| {
        let entries = fs_err::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        let mut paths: Vec<PathBuf> =
            entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        paths.sort();
        paths
    };
    if is_model(&near.to_owned()) {
        return vec![near.to_owned()];
    }
    let here = inner(near);
    let found: Vec<PathBuf> = here.iter().filter(|path| is_model(path)).cloned().collect();
    if !found.is_empty() {
        return found;
    }
    here.iter().flat_map(|folder| inner(folder)).filter(is_model).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_model_is_called_what_it_is_with_the_models_near_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for file in
            ["out/c/head/model.json", "out/c/tail/model.json", "out/c/evaluate/metrics.json", "empty/a/b.txt"]
        {
            fs_err::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs_err::write(root.join(file), "{}").unwrap();
        }
        let head = root.join("out/c/head");
        assert_eq!(folder(&head).unwrap(), head);
        let told = |path: &str| match folder(&root.join(path)) {
            Err(Stop::Error { message, hint: Some(hint), .. }) => {
                let shown = |text: String| text.replace(&root.display().to_string(), "P");
                let (message, hint) = (shown(message), shown(hint));
                let expected = ", expected the folder of a model, with a model.json in it";
                (message.strip_suffix(expected).unwrap_or_else(|| panic!("{message}")).to_owned(), hint)
            }
            other => panic!("{other:?}"),
        };
        let both = "give one of: P/out/c/head, P/out/c/tail";
        let of = |path: &str, what: &str, hint: &str| {
            assert_eq!(told(path), (format!("`P/{path}` {what}"), hint.to_owned()));
        };
        of("out/c", "is no model", both);
        of("out", "is no model", both);
        of(
            "out/c/evaluate",
            "is no model",
            "name what a stage that trains has left, such as out/CONFIG/head, or a copy of it",
        );
        of("out/c/heed", "is not there", both);
        of("out/c/head/model.json", "is a file of a model", "give one of: P/out/c/head");
        of(
            "out/c/evaluate/metrics.json",
            "is a file",
            "name what a stage that trains has left, such as out/CONFIG/head, or a copy of it",
        );
    }
}
