//! `pipeline serve MODEL`: a page, and JSON, that answer for photos.

mod beside;
mod log;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pipeline_nn::Dtype;
use pipeline_nn::artifact::{MODEL_FILE, ModelRecord};
use pipeline_photo::{FixedViews, Tta};
use pipeline_predict::{Options, Predictor, Views};
use pipeline_report::name::shortened;
use pipeline_serve::{Model, Neighbours, Server, Settings};
use pipeline_stage::{Hint, exit, words};

use super::Stop;
use super::interrupt::Interrupt;
use super::job::available_threads;
use super::model_folder;
use crate::terminal::Screen;

/// Classes that the first line names.
const MOST_NAMED: usize = 8;
/// Characters of each: they come from a file of a stranger.
const LONGEST_NAME: usize = 60;

/// Answer for photos over HTTP, with a page to drop them on
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pipeline serve out/dogscats/head\n  \
    pipeline serve out/dogscats/head --port 0 --log\n  \
    curl --data-binary @cat.jpg 'http://127.0.0.1:8080/predict?top=3'\n  \
    curl -F a=@cat.jpg -F b=@dog.jpg 'http://127.0.0.1:8080/predict?neighbours=5'\n\n\
    Only this machine can ask, unless --host says otherwise. Photos are not kept. Ctrl-C ends what runs and stops; \
    a second one stops at once. /health, /metrics (Prometheus) and /model say how it is.")]
pub(super) struct Arguments {
    /// A model folder: out/CONFIG/STAGE, or a copy of it
    model: PathBuf,
    /// Address to listen at: 127.0.0.1 for this machine alone, 0.0.0.0 for all who reach it; there is no password
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_parser = host)]
    host: IpAddr,
    /// Port to listen at; 0 picks one that is free
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Threads that look at photos; all processors where it is not said
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// What the network computes in: f32, bf16, or auto for the faster one
    #[arg(long, default_value = "auto", value_parser = dtype)]
    dtype: Dtype,
    /// Average the answers for several views of a photo: flip, five_crop or ten_crop
    #[arg(long, value_name = "VIEWS", value_parser = views)]
    tta: Option<FixedViews>,
    /// The precompute artifact that the model was trained on, to find training photos like the one asked about; found by
    /// itself beside out/CONFIG/STAGE
    #[arg(long, value_name = "FOLDER")]
    neighbours: Option<PathBuf>,
    /// Largest body of a request
    #[arg(long, value_name = "SIZE", default_value = "32MB", value_parser = size)]
    max_body: usize,
    /// Seconds that a body may take to arrive, and then its answer
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Photos that may wait; beyond that the answer is 503
    #[arg(long, value_name = "N", default_value = "128")]
    queue: NonZeroUsize,
    /// Most megapixels of a photo: decoded it takes 3 MB for each (a PNG of 16 bits with transparency 11)
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1000))]
    max_pixels: u64,
    /// Address of a page that may ask besides this server's own, as `https://photos.example`: that of a reverse proxy; repeatable
    #[arg(long, value_name = "URL", value_parser = origin)]
    origin: Vec<String>,
    /// Print a line for each request
    #[arg(long)]
    log: bool,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let interrupt = Interrupt::listen();
    let settings = Settings {
        address: SocketAddr::new(arguments.host, arguments.port),
        threads: arguments.threads.unwrap_or_else(available_threads),
        most_body: arguments.max_body,
        timeout: Duration::from_secs(arguments.timeout),
        queue: arguments.queue,
        most_pixels: 1_000_000 * arguments.max_pixels,
        origins: arguments.origin.clone(),
    };
    let dir = settled(&model_folder::folder(&arguments.model)?);
    let record = ModelRecord::read(&dir.join(MODEL_FILE)).map_err(|error| not_usable(&error))?;
    let (dtype, tta) = (arguments.dtype.settled(), arguments.tta.map_or(Tta::default(), Tta::Fixed));
    let neighbours = neighbours(arguments, &record, screen)?;
    let neighbours =
        if tta.first_averaged() == 0 { neighbours } else { without(neighbours, arguments, screen)? };
    let server = Server::bind(settings.clone()).map_err(|error| Stop::new(exit::STAGE_FAILED, &error))?;
    let views = Views::new(tta, None, 0).map_err(|error| Stop::new(exit::USAGE, &error))?;
    let predictor =
        Predictor::load(&dir, Options { dtype, views, limits: settings.limits(), ..Options::default() });
    let predictor = predictor.map_err(|error| not_usable(&error))?;
    if !settings.is_loopback() {
        screen.error(&format!(
            "warning: whoever reaches {} can ask and load this machine: there is no password and no encryption",
            server.address()
        ));
    }
    screen.line(&format!("serving {} at http://{}", described(&record), server.address()));
    let model = Model { predictor, dir, dtype, tta, neighbours };
    let (log, printer) = arguments.log.then(log::printed).unzip();
    server.run(model, log, &interrupt.cancel).map_err(|error| Stop::new(exit::STAGE_FAILED, &error))?;
    if let Some(printer) = printer {
        printer.finish();
    }
    Ok(interrupt.exit_code().unwrap_or(exit::DONE))
}

/// A folder that is no model that can be used.
fn not_usable(error: &dyn Hint) -> Stop {
    Stop::new(exit::STAGE_FAILED, error)
}

/// Where a folder lies now: a later run makes links of `out/` lead elsewhere, and what is read later must be of the same artifact.
fn settled(folder: &Path) -> PathBuf {
    // What is not there is said by whoever reads it.
    fs_err::canonicalize(folder).unwrap_or_else(|_| folder.to_owned())
}

/// No training photos: the plain view, by which they are found, is not looked at.
fn without(
    found: Option<Neighbours>,
    arguments: &Arguments,
    screen: &Screen,
) -> Result<Option<Neighbours>, Stop> {
    let message = "training photos are found by the plain view, which five_crop and ten_crop leave out";
    let hint = "leave `--neighbours` away, or take `--tta flip`";
    if arguments.neighbours.is_some() {
        return Err(Stop::Error {
            message: message.to_owned(),
            hint: Some(hint.to_owned()),
            code: exit::USAGE,
        });
    }
    if found.is_some() {
        screen.error(&format!("warning: no training photos are named: {message}"));
    }
    Ok(None)
}

/// The training photos: those that were named, or else those beside the model that fit.
fn neighbours(
    arguments: &Arguments,
    record: &ModelRecord,
    screen: &Screen,
) -> Result<Option<Neighbours>, Stop> {
    let opened = match &arguments.neighbours {
        Some(folder) => {
            let table = beside::features_in(folder).unwrap_or_else(|| folder.clone());
            Some((
                folder.clone(),
                Neighbours::open(&settled(&table), record).map_err(|error| Stop::new(exit::USAGE, &error))?,
            ))
        }
        None => beside::features_beside(&arguments.model).into_iter().find_map(|folder| {
            Some((folder.clone(), Neighbours::open(&settled(&beside::features_in(&folder)?), record).ok()?))
        }),
    };
    let Some((folder, neighbours)) = opened else { return Ok(None) };
    let Some((images, photos)) = beside::photos_beside(&folder) else { return Ok(Some(neighbours)) };
    let with_pictures = neighbours.with_pictures(&settled(&images), &settled(&photos));
    // The model answers all the same.
    Ok(with_pictures
        .map_err(|error| screen.error(&format!("warning: no training photos are named: {error}")))
        .ok())
}

/// `resnet18 (2 classes: cats, dogs)`.
fn described(record: &ModelRecord) -> String {
    let classes = &record.classes;
    let named = words::listed(classes.iter().map(|class| shortened(class, LONGEST_NAME)), MOST_NAMED);
    let word = if classes.len() == 1 { "class" } else { "classes" };
    format!("{} ({} {word}: {named})", record.arch, classes.len())
}

fn host(text: &str) -> Result<IpAddr, String> {
    let text = if text == "localhost" { "127.0.0.1" } else { text };
    text.parse().map_err(|_| format!("expected an address such as 127.0.0.1 or 0.0.0.0, found `{text}`"))
}

/// `https://photos.example`, as a browser names it: in lower case, without a path.
fn origin(text: &str) -> Result<String, String> {
    let wrong =
        || format!("expected an address such as https://photos.example, without a path, found `{text}`");
    let lower = text.trim_end_matches('/').to_ascii_lowercase();
    let authority =
        lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://")).ok_or_else(wrong)?;
    let is_known = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if authority.is_empty() || !authority.chars().all(is_known) {
        return Err(wrong());
    }
    Ok(lower)
}

fn dtype(text: &str) -> Result<Dtype, String> {
    let known = [Dtype::Auto, Dtype::F32, Dtype::Bf16].into_iter().find(|dtype| dtype.as_str() == text);
    known.ok_or_else(|| format!("expected auto, f32 or bf16, found `{text}`"))
}

fn views(text: &str) -> Result<FixedViews, String> {
    let mut known = [FixedViews::Flip, FixedViews::FiveCrop, FixedViews::TenCrop].into_iter();
    let found = known.find(|views| Tta::Fixed(*views).to_string() == text);
    found.ok_or_else(|| format!("expected flip, five_crop or ten_crop, found `{text}`"))
}

/// A number of bytes with a unit: `500kB`, `32MB`, `1GB`; at least 1 kB and at most 1 GB, since it is kept in memory.
fn size(text: &str) -> Result<usize, String> {
    let wrong = || format!("expected a size from 1kB to 1GB, as 500kB or 32MB, found `{text}`");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: usize = match &text[digits.len()..] {
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    let bytes = digits.parse::<usize>().ok().and_then(|number| number.checked_mul(unit));
    bytes.filter(|bytes| (1_000..=1_000_000_000).contains(bytes)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit_and_bounds() {
        assert_eq!(size("500kB"), Ok(500_000));
        assert_eq!(size("32MB"), Ok(32_000_000));
        assert_eq!(size("1GB"), Ok(1_000_000_000));
        for wrong in ["", "32", "MB", "0MB", "2GB", "32mb", "-1MB", "1.5MB", "99999999999999999999GB"] {
            let message = format!("expected a size from 1kB to 1GB, as 500kB or 32MB, found `{wrong}`");
            assert_eq!(size(wrong), Err(message));
        }
    }

    #[test]
    fn origins_are_as_a_browser_names_them() {
        assert_eq!(origin("https://Photos.example/"), Ok("https://photos.example".to_owned()));
        assert_eq!(origin("http://[::1]:81"), Ok("http://[::1]:81".to_owned()));
        for wrong in ["photos.example", "https://", "https://a/b", "ftp://a", "https://a@b", "null", "*"] {
            let message = format!(
                "expected an address such as https://photos.example, without a path, found `{wrong}`"
            );
            assert_eq!(origin(wrong), Err(message));
        }
    }

    #[test]
    fn addresses_formats_and_views_are_those_that_are_known() {
        assert_eq!(host("localhost"), Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert_eq!(host("::1").map(|host| host.is_loopback()), Ok(true));
        let expected = "expected an address such as 127.0.0.1 or 0.0.0.0, found `example.org`";
        assert_eq!(host("example.org"), Err(expected.to_owned()));
        assert_eq!(dtype("bf16"), Ok(Dtype::Bf16));
        assert_eq!(dtype("f16"), Err("expected auto, f32 or bf16, found `f16`".to_owned()));
        assert_eq!(views("ten_crop"), Ok(FixedViews::TenCrop));
        assert_eq!(views("4"), Err("expected flip, five_crop or ten_crop, found `4`".to_owned()));
    }
}
