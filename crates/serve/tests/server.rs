//! A model of random weights, asked over HTTP.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod client;
mod made;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use base64::Engine;
use client::{Reply, form, get, head, post, send};
use made::{SIZE, Started, alone, model, pictures, settings, start};
use pipeline_photo::FixedViews;
use pipeline_serve::{Error, Neighbours, Server, Settings};
use pipeline_stage::Hint;

#[test]
fn an_answer_has_the_bits_of_the_photo_alone_whoever_else_asks_and_requests_share_batches() {
    let started = start(settings(), None);
    let pictures = pictures(16);
    let expected: Vec<Vec<f32>> = pictures.iter().map(|png| alone(png, None)).collect();
    let replies: Vec<Reply> = scope(|threads| {
        let at = started.at;
        let asked: Vec<_> =
            pictures.iter().map(|png| threads.spawn(move || post(at, "/predict", png))).collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (reply, expected) in replies.iter().zip(&expected) {
        assert_eq!(reply.status, 200, "{reply:?}");
        let said = reply.json();
        let bits = |class: &str| said["probabilities"][class].as_f64().unwrap() as f32;
        assert_eq!(["cats", "dogs", "emus"].map(bits).as_slice(), expected.as_slice());
        let best = expected.iter().copied().fold(0.0, f32::max);
        assert_eq!(said["probability"].as_f64().unwrap() as f32, best);
    }
    let batches = started.metric("pipeline_batch_photos_count");
    assert_eq!(started.metric("pipeline_batch_photos_sum"), 16.0);
    // Two, where all came at one time; some more where this machine has much else to do.
    assert!(batches < 9.0, "{batches} batches");
    assert_eq!(started.metric("pipeline_photos_total{outcome=\"answered\"}"), 16.0);
}

#[test]
fn as_many_classes_are_named_as_were_asked_for_and_odd_questions_are_refused() {
    let started = start(settings(), None);
    let png = &pictures(1)[0];
    let said = post(started.at, "/predict?top=2", png).json();
    assert_eq!(said["probabilities"].as_object().unwrap().len(), 2);
    assert_eq!(said["probabilities"][said["class"].as_str().unwrap()], said["probability"]);
    for (query, message) in [
        ("top=0", "top is 0, expected at least 1"),
        ("gradcam=2", "gradcam is 2, expected 0 or 1"),
        ("neighbours=51", "neighbours is 51, expected 0 to 50"),
        ("neighbours=1", "there are no training photos to find neighbours among"),
        (
            "tops=1",
            "cannot read the question: tops: unknown field `tops`, expected one of `top`, `gradcam`, `neighbours`",
        ),
        ("top=x", "cannot read the question: top: invalid digit found in string"),
    ] {
        let reply = post(started.at, &format!("/predict?{query}"), png);
        assert_eq!(reply.status, 400, "{reply:?}");
        assert_eq!(reply.json()["error"], message, "{query}");
    }
}

#[test]
fn a_bad_photo_has_its_reason_alone_with_422_and_among_others_in_its_place() {
    let started = start(settings(), None);
    let png = &pictures(1)[0];
    let reply = post(started.at, "/predict", &png[..png.len() / 2]);
    let said = reply.json();
    assert_eq!((reply.status, said["reason"].as_str()), (422, Some("truncated")), "{reply:?}");
    assert!(said["sentence"].as_str().unwrap().starts_with("truncated: "), "{said}");
    assert_eq!(said["hint"], "copy it again from where it came from");
    assert_eq!(post(started.at, "/predict", b"").json()["reason"], "empty");

    let name = "</script><b>ä.png";
    let (kind, body) = form(&[(name, png), ("b.html", b"<!doctype html><title>x</title>"), ("c.png", png)]);
    let reply =
        send(started.at, &head("POST", "/predict", &[("Content-Type", &kind)], Some(body.len())), &body);
    let said = reply.json();
    assert_eq!((reply.status, said["photos"].as_array().unwrap().len()), (200, 3), "{reply:?}");
    assert_eq!(said["photos"][0]["name"], name);
    assert_eq!(said["photos"][0]["class"], said["photos"][2]["class"]);
    assert_eq!(said["photos"][1]["reason"], "html_page");

    let many: Vec<_> = (0..65).map(|_| ("a.png", png.as_slice())).collect();
    let (kind, body) = form(&many);
    let reply =
        send(started.at, &head("POST", "/predict", &[("Content-Type", &kind)], Some(body.len())), &body);
    assert_eq!(
        (reply.status, reply.json()["error"].as_str()),
        (413, Some("the form has more than 64 parts"))
    );
    let head = head("POST", "/predict", &[("Content-Type", "multipart/form-data; boundary=x")], Some(5));
    assert_eq!(send(started.at, &head, b"--y--").status, 400);
}

#[test]
fn a_body_that_is_too_large_is_refused_by_its_header_and_on_the_way() {
    let started = start(Settings { most_body: 4_000, ..settings() }, None);
    let reply = send(started.at, &head("POST", "/predict", &[], Some(4_001)), b"");
    assert_eq!(
        (reply.status, reply.json()["error"].as_str()),
        (413, Some("the body is larger than 4000 bytes"))
    );
    let chunked = head("POST", "/predict", &[("Transfer-Encoding", "chunked")], None);
    let chunk = [b"FA1\r\n".as_slice(), &[0; 4001], b"\r\n0\r\n\r\n"].concat();
    assert_eq!(send(started.at, &chunked, &chunk).status, 413);
    let chunk = [b"FA0\r\n".as_slice(), &[0; 4000], b"\r\n0\r\n\r\n"].concat();
    assert_eq!(send(started.at, &chunked, &chunk).status, 422, "as large as may be, and no photo");
}

#[test]
fn other_hosts_pages_paths_and_methods_are_refused() {
    let started = start(settings(), None);
    let png = &pictures(1)[0];
    let with = |headers: &[(&str, &str)]| {
        let all = [&[("Connection", "close")], headers].concat();
        let lines: String = all.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("POST /predict HTTP/1.1\r\nContent-Length: {}\r\n{lines}\r\n", png.len());
        send(started.at, &head, png).status
    };
    assert_eq!(with(&[("Host", "localhost")]), 200);
    assert_eq!(with(&[("Host", "evil.example")]), 421);
    assert_eq!(with(&[]), 421);
    assert_eq!(with(&[("Host", "localhost"), ("Origin", "http://evil.example")]), 403);
    assert_eq!(with(&[("Host", "localhost"), ("Origin", "http://localhost")]), 200);
    for path in ["/x", "/../../etc/passwd", "/training/..%2f..%2fetc%2fpasswd", "/training/0", "/training/-1"]
    {
        assert_eq!(get(started.at, path).status, 404, "{path}");
    }
    assert_eq!(get(started.at, "/predict").status, 405);
    assert_eq!(post(started.at, "/metrics", b"").status, 405);
    let reply = get(started.at, "/x");
    assert_eq!(reply.header("access-control-allow-origin"), None);
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    let log = started.log.lock().unwrap();
    assert!(
        log.contains(&"POST /predict 421".to_owned()) && log.contains(&"GET /x 404".to_owned()),
        "{log:?}"
    );
}

#[test]
fn who_sends_slowly_is_cut_off() {
    let started = start(Settings { timeout: Duration::from_millis(400), ..settings() }, None);
    let reply = send(started.at, &head("POST", "/predict", &[], Some(10)), b"12345");
    assert_eq!(
        (reply.status, reply.json()["error"].as_str()),
        (408, Some("the body took longer than 0.4 seconds"))
    );
    for text in ["", "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "] {
        let mut stream = TcpStream::connect(started.at).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let began = Instant::now();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut rest = vec![];
        stream.read_to_end(&mut rest).unwrap();
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{:?} {}",
            began.elapsed(),
            String::from_utf8_lossy(&rest)
        );
    }
    assert_eq!(get(started.at, "/health").status, 200);
}

#[test]
fn what_finds_no_room_is_told_to_come_again_and_what_takes_too_long_is_told_so() {
    let few = Settings { queue: NonZeroUsize::new(2).unwrap(), ..settings() };
    let started = start(few, Some(FixedViews::TenCrop));
    let png = &pictures(1)[0];
    let replies: Vec<Reply> = scope(|threads| {
        let asked: Vec<_> = (0..24).map(|_| threads.spawn(|| post(started.at, "/predict", png))).collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let refused: Vec<_> = replies.iter().filter(|reply| reply.status == 503).collect();
    let answered = replies.iter().filter(|reply| reply.status == 200).count();
    assert!(
        !refused.is_empty() && answered >= 2 && refused.len() + answered == 24,
        "{answered} of 24 answered"
    );
    assert_eq!(refused[0].header("retry-after"), Some("1"));
    assert_eq!(refused[0].json()["error"], "too much to do: as many photos wait as may");
    drop(started);

    let hasty = Settings { timeout: Duration::from_millis(100), ..settings() };
    let started = start(hasty, Some(FixedViews::TenCrop));
    let many: Vec<_> = (0..64).map(|_| ("a.png", png.as_slice())).collect();
    let (kind, body) = form(&many);
    let reply =
        send(started.at, &head("POST", "/predict", &[("Content-Type", &kind)], Some(body.len())), &body);
    assert_eq!(
        (reply.status, reply.json()["error"].as_str()),
        (504, Some("the answer took longer than 0.1 seconds"))
    );
}

#[test]
fn it_says_what_it_is_and_how_it_is() {
    let started = start(settings(), None);
    let health = get(started.at, "/health");
    assert_eq!((health.status, health.json()["ready"].as_bool()), (200, Some(true)));
    let model = get(started.at, "/model").json();
    assert_eq!((model["arch"].as_str(), &model["classes"][2]), (Some("efficientnet_lite0"), &"emus".into()));
    assert_eq!((model["neighbours"].as_bool(), model["limits"]["files"].as_u64()), (Some(false), Some(64)));
    let page = get(started.at, "/");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-") && !policy.contains("unsafe"),
        "{policy}"
    );
    let text = page.text();
    assert!(
        text.contains("<h1") && !text.contains("{script}") && !text.contains("://"),
        "nothing is asked for elsewhere"
    );
    let metrics = get(started.at, "/metrics");
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(started.metric("pipeline_lanes"), 2.0);
    assert_eq!(started.metric("pipeline_requests_in_flight"), 1.0, "this one");
}

#[test]
fn the_heat_is_a_picture_of_what_the_model_sees() {
    let started = start(settings(), None);
    let png = &pictures(1)[0];
    let said = post(started.at, "/predict?gradcam=1", png).json();
    let data = said["gradcam"].as_str().unwrap().strip_prefix("data:image/png;base64,").unwrap();
    let bytes = base64::prelude::BASE64_STANDARD.decode(data).unwrap();
    let heat = image::load_from_memory(&bytes).unwrap().into_rgb8();
    assert_eq!(heat.dimensions(), (SIZE, SIZE));
    assert!(heat.pixels().any(|pixel| pixel != heat.get_pixel(0, 0)));
    assert!(post(started.at, "/predict", png).json().get("gradcam").is_none());
    assert_eq!(post(started.at, "/predict?gradcam=1", b"no photo").status, 422);
}

#[test]
fn an_answer_whose_heat_fails_is_given_without_it_and_says_why() {
    let gone = tempfile::tempdir().unwrap().path().join("gone");
    let started = Started::in_folder(gone, settings(), None, None);
    let reply = post(started.at, "/predict?gradcam=1", &pictures(1)[0]);
    let said = reply.json();
    assert_eq!((reply.status, said.get("gradcam")), (200, None), "{said}");
    assert!(said["class"].is_string(), "{said}");
    assert!(said["no_gradcam"].as_str().unwrap().contains("trunk.safetensors"), "{said}");
}

#[test]
fn a_small_file_that_declares_more_pixels_than_may_be_is_no_photo() {
    let started = start(settings(), None);
    let mut png = std::io::Cursor::new(vec![]);
    image::GrayImage::new(10_000, 5_001).write_to(&mut png, image::ImageFormat::Png).unwrap();
    let png = png.into_inner();
    assert!(png.len() < 1_000_000, "{} bytes", png.len());
    let reply = post(started.at, "/predict", &png);
    let said = reply.json();
    assert_eq!((reply.status, said["reason"].as_str()), (422, Some("too_large")), "{said}");
    let sentence = "too large: it declares 10000 x 5001 = 50010000 pixels, the limit is 50000000";
    assert_eq!(said["sentence"], sentence);
    assert_eq!(get(started.at, "/model").json()["limits"]["pixels"], 50_000_000);
}

#[test]
fn training_photos_that_are_most_like_it_are_named_and_shown_as_long_as_they_are_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let (features, images, photos) = made::trained_on(dir.path());
    let record = made::record();
    let neighbours = Neighbours::open(&features, &record).unwrap().with_pictures(&images, &photos).unwrap();
    let started = Started::with(settings(), None, Some(neighbours));
    let said = post(started.at, "/predict?neighbours=5", &pictures(3)[1]).json();
    let near = said["neighbours"].as_array().unwrap();
    // 4 of 5 are of train; the second is the photo itself.
    assert_eq!(near.len(), 4, "{said}");
    assert_eq!(
        (near[0]["id"].as_str(), near[0]["label"].as_str(), near[0]["row"].as_u64()),
        (Some("train/1.png"), Some("dogs"), Some(1))
    );
    assert!(near[0]["similarity"].as_f64().unwrap() > 0.9999, "{said}");
    assert!(near.iter().all(|near| near["id"] != "valid/4.png"));
    assert_eq!(get(started.at, "/model").json()["pictures"], true);

    let picture = get(started.at, "/training/1");
    assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/jpeg")));
    assert_eq!(image::load_from_memory(&picture.body).unwrap().width(), SIZE);
    assert_eq!(get(started.at, "/training/4").status, 404, "of valid");
    fs_err::write(photos.join("train/1.png"), &pictures(3)[2]).unwrap();
    assert_eq!(get(started.at, "/training/1").status, 404, "it has changed");

    let mut other = record;
    other.trunk = other.head;
    let error = Neighbours::open(&features, &other).err().unwrap();
    assert!(matches!(&error, Error::OtherFeatures { what: "a trunk of the digest", .. }), "{error}");
    assert!(error.hint().unwrap().starts_with("name the artifact of precompute"), "{error}");
}

#[test]
fn at_the_end_what_runs_is_answered_and_nothing_new_is_taken() {
    let started = start(settings(), Some(FixedViews::TenCrop));
    let png = &pictures(1)[0];
    let many: Vec<_> = (0..8).map(|_| ("a.png", png.as_slice())).collect();
    let (kind, body) = form(&many);
    let at = started.at;
    let reply = scope(|threads| {
        let head = head("POST", "/predict", &[("Content-Type", &kind)], Some(body.len()));
        let running = threads.spawn(move || send(at, &head, &body));
        while started.metric("pipeline_requests_in_flight") < 2.0 {
            sleep(Duration::from_millis(5));
        }
        started.stop();
        running.join().unwrap()
    });
    assert_eq!((reply.status, reply.json()["photos"].as_array().unwrap().len()), (200, 8));
    assert!(TcpStream::connect(at).is_err());
}

#[test]
fn a_port_that_is_taken_is_an_error_with_the_way_out() {
    let first = Server::bind(settings()).unwrap();
    let error = Server::bind(Settings { address: first.address(), ..settings() }).unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot listen at {}: ", first.address())), "{error}");
    assert!(error.hint().unwrap().contains("name another with `--port`"), "{error}");
    assert!(model().join("model.json").is_file());
}
