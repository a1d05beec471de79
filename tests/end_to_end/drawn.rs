//! The whole path on drawn pictures.

use std::io::{Read, Write};
use std::net::TcpListener;

use pipeline_evaluate::Metrics;
use pipeline_nn::artifact::{Model, ModelRecord};
use pipeline_nn::{Device, Tensor};
use pipeline_photo::{Limits, Resizer};
use pipeline_table::{FeaturesReader, ImagesReader, PredictionRow, PredictionsReader};

use pipeline_testkit::Project;
use zip::write::SimpleFileOptions;

use crate::small_project;

#[test]
fn one_command_goes_from_pictures_to_metrics_and_shows_them() {
    let project = small_project();
    let ran = project.succeed(&["run", "configs/c.yaml"]);
    assert!(
        ran.stdout
            .starts_with("c: 6 stages, 0 fresh, 2 to run, 4 depend on them   (quick, built in, seed 42, ")
    );
    for part in ["22 photos (12 train, 8 valid, 2 test), 2 classes", "20 × 2,560, ", "predicted"] {
        assert!(ran.stdout.contains(part), "{part}\n{}", ran.stdout);
    }

    let images = ImagesReader::open(&project.path("out/c/ingest/images.parquet")).unwrap();
    assert_eq!(images.map(Result::unwrap).count(), 22);
    let features = FeaturesReader::open(&project.path("out/c/precompute/features")).unwrap();
    assert_eq!((features.len(), features.meta().dim), (20, 2560));
    let model = ModelRecord::read(&project.path("out/c/head/model.json")).unwrap();
    assert_eq!((model.classes, model.preprocessing.size), (vec!["cats".to_owned(), "dogs".to_owned()], 64));
    let predictions = PredictionsReader::open(&project.path("out/c/evaluate/predictions.parquet")).unwrap();
    let right = predictions.map(Result::unwrap).filter(|p| p.label_id == Some(p.predicted_id)).count();
    let metrics: Metrics = serde_json::from_str(&project.read("out/c/evaluate/metrics.json")).unwrap();
    let measured = &metrics.models["head"].plain.measured;
    assert_eq!((measured.photos(), measured.accuracy().value), (8, right as f64 / 8.0));
    assert!(
        ran.stdout.contains(&format!("\nhead              {:.4}  ", right as f64 / 8.0)),
        "{}",
        ran.stdout
    );
    let page = project.read("out/c/evaluate/report.html");
    assert!(page.contains("pipeline: again") && page.contains("train: 12 photos"), "{page}");
}

#[test]
fn the_config_on_the_page_makes_the_same_page() {
    let project = small_project();
    project.succeed(&["run", "configs/c.yaml"]);
    let page = project.read("out/c/evaluate/report.html");
    let (_, config) = page.split_once("# What made this page.").unwrap();
    let escaped =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&#x2f;", "/"), ("&amp;", "&")];
    let config = escaped
        .iter()
        .fold(config.split_once("</pre>").unwrap().0.to_owned(), |text, (from, to)| text.replace(from, to));
    let pipeline: Vec<&str> = config.lines().filter_map(|line| line.strip_prefix("#| ")).collect();
    project.write("pipelines/again.yaml", pipeline.join("\n"));
    project.write("configs/again.yaml", format!("#{config}"));
    let places = ["--set", "ingest.root=photos", "--set", "backbone.weights=weights.safetensors"];
    let outcomes = project.outcomes(&[["run", "configs/again.yaml"].as_slice(), &places].concat());
    assert!(
        outcomes.len() == 6 && outcomes.iter().all(|stage| stage.ends_with(" fresh")),
        "{outcomes:?}\n{config}"
    );
}

#[test]
fn a_model_that_is_copied_away_predicts_what_evaluate_has_written() {
    for layers in ["precompute.layers=[max_avg]", "precompute.layers=[avg]"] {
        copied_away_it_predicts_the_same(layers);
    }
}

fn copied_away_it_predicts_the_same(layers: &str) {
    let project = small_project();
    project.succeed(&["run", "configs/c.yaml", "--set", "precompute.dtype=f32", "--set", layers]);
    let predictions: Vec<PredictionRow> =
        PredictionsReader::open(&project.path("out/c/evaluate/predictions.parquet"))
            .unwrap()
            .map(Result::unwrap)
            .collect();
    let elsewhere = tempfile::tempdir().unwrap();
    for file in ["model.json", "head.safetensors", "trunk.safetensors"] {
        fs_err::copy(project.path("out/c/head").join(file), elsewhere.path().join(file)).unwrap();
    }
    fs_err::remove_dir_all(project.path("out")).unwrap();
    fs_err::remove_dir_all(project.path(".pipeline")).unwrap();

    let model = Model::load(elsewhere.path(), Device::Cpu).unwrap();
    let preprocessing = model.record.preprocessing;
    let side = preprocessing.size as usize;
    for row in &predictions {
        let bytes = fs_err::read(project.path("photos").join(&row.id)).unwrap();
        let photo = pipeline_photo::decode(&bytes, &Limits::default()).unwrap();
        let mut pixels = vec![0f32; 3 * side * side];
        preprocessing.normalise_chw(&preprocessing.crop(&photo.pixels, &mut Resizer::new()), &mut pixels);
        let x = Tensor::from_slice(&pixels).view([1, 3, side as i64, side as i64]);
        let probs: Vec<f32> = model.log_probs(&x).unwrap().exp().view(-1).try_into().unwrap();
        let off = probs.iter().zip(&row.probs).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        assert!(off < 1e-4, "{}: {probs:?}, evaluate has {:?}", row.id, row.probs);
    }
    assert_eq!(predictions.len(), 8);

    fs_err::write(elsewhere.path().join("head.safetensors"), b"another").unwrap();
    let error = Model::load(elsewhere.path(), Device::Cpu).err().unwrap().to_string();
    assert!(error.contains("head.safetensors` is not the file that model.json names"), "{error}");
}

/// The project's photos as the course packs them: under one folder, with a `sample/` that is no data.
fn lessons_zip(project: &Project) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    let mut folders = vec![project.path("photos")];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(project.path("photos")).unwrap().display().to_string();
            for top in ["dogscats/", "dogscats/sample/"] {
                zip.start_file(format!("{top}{name}"), SimpleFileOptions::default()).unwrap();
                zip.write_all(&fs_err::read(&path).unwrap()).unwrap();
            }
        }
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn weights_are_fetched_from_an_address_and_checked() {
    let project = small_project();
    let url = serve(fs_err::read(project.path("weights.safetensors")).unwrap(), "weights.safetensors");
    let config = |more: &str| {
        let weights = format!("weights: data/weights/w.safetensors, fetch: {url}{more}");
        let config = crate::SMALL.replace("weights: weights.safetensors", &weights);
        project.write("configs/c.yaml", config);
    };
    config(", fetch_sha256: 00112233");
    let error = project.fail(1, &["run", "configs/c.yaml", "--until", "backbone"]);
    assert!(error.contains("expected 00112233") && error.contains("hint: "), "{error}");
    assert!(!project.path("data/weights/w.safetensors").exists(), "what is wrong is not kept");
    config("");
    let outcomes = project.outcomes(&["run", "configs/c.yaml", "--until", "backbone"]);
    assert!(outcomes.contains(&"backbone ran".to_owned()), "{outcomes:?}");
    // Of the same content as the file, so the same artifact.
    project.write("configs/c.yaml", crate::SMALL);
    let outcomes = project.outcomes(&["run", "configs/c.yaml", "--until", "backbone"]);
    assert!(outcomes.contains(&"backbone fresh".to_owned()), "{outcomes:?}");
}

/// Serves `content` to whoever asks.
fn serve(content: Vec<u8>, name: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/{name}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let length = content.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            // Whoever asked may have seen enough.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&content));
        }
    });
    url
}

#[test]
fn the_lessons_zip_from_an_address_or_a_file_is_the_same_as_the_folder() {
    let project = small_project();
    let run = |sets: &[&str]| {
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        let ran = [["run", "configs/c.yaml", "--until", "ingest"].as_slice(), &sets].concat();
        project.outcomes(&ran)[0].clone()
    };
    assert_eq!(run(&[]), "ingest ran");
    let zip = lessons_zip(&project);
    project.write("photos.zip", &zip);
    let ingest = || {
        let images = ImagesReader::open(&project.path("out/c/ingest/images.parquet")).unwrap();
        images.map(|row| row.unwrap().id).collect::<Vec<_>>()
    };
    let folder = ingest();
    // Of other content than the folder, since there is a sample/, but of the same photos.
    assert_eq!(run(&["ingest.root=photos.zip"]), "ingest ran");
    assert_eq!(ingest(), folder);
    assert!(project.read("out/c/ingest/ingest.json").contains("\"sample\""));

    let fetch = format!("ingest.fetch={}", serve(zip, "dogscats.zip"));
    assert_eq!(run(&["ingest.root=data/dogscats", &fetch]), "ingest fresh", "the same as the zip");
    assert!(project.path("data/dogscats/train").is_dir());
    assert_eq!(run(&["ingest.root=data/dogscats", &fetch]), "ingest fresh", "and is not fetched again");
}

#[test]
fn the_trunk_of_a_model_takes_no_second_place_on_disk() {
    use std::os::unix::fs::MetadataExt;
    let project = small_project();
    project.succeed(&["run", "configs/c.yaml"]);
    let inode = |path: &str| fs_err::metadata(project.path(path)).unwrap().ino();
    assert_eq!(inode("out/c/head/trunk.safetensors"), inode("out/c/backbone/trunk.safetensors"));
}

#[test]
fn the_command_runs_from_any_folder_and_links_go_to_the_projects_out() {
    let project = small_project();
    let elsewhere = tempfile::tempdir().unwrap();
    let config = project.path("configs/c.yaml");
    let mut command = project.command(&["run", config.to_str().unwrap(), "--quiet"]);
    let output = command.current_dir(elsewhere.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(project.path("out/c/evaluate/metrics.json").is_file());
}

#[test]
fn artifacts_have_the_same_digests_for_any_number_of_threads() {
    let project = small_project();
    let digests = |threads: &str| {
        project.succeed(&[
            "run",
            "configs/c.yaml",
            "--until",
            "precompute",
            "--set",
            "augment.cached_views=1",
            "--threads",
            threads,
            "--store",
            threads,
        ]);
        ["ingest", "augment", "backbone", "precompute"].map(|stage| {
            let manifest: serde_json::Value =
                serde_json::from_str(&project.read(&format!("out/c/{stage}/artifact.json"))).unwrap();
            (manifest["key"].clone(), manifest["files"].clone())
        })
    };
    assert_eq!(digests("1"), digests("2"));
}
