//! [`Metrics`]: counts and times since the start, as text for Prometheus (exposition format 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of times, in seconds: from a fast decode to the usual time-out.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Upper bounds of a batch's photos.
const PHOTOS: [f64; 8] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];

/// Counts and times since the start.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Lanes at work.
    pub(crate) lanes: AtomicU64,
    /// Requests that are being answered.
    pub(crate) in_flight: AtomicU64,
    /// Photos with an answer, and those that are none.
    photos: [AtomicU64; 2],
    /// Requests by status.
    requests: Mutex<BTreeMap<u16, u64>>,
    batch_photos: Histogram<8>,
    decode: Histogram<12>,
    trunk: Histogram<12>,
    heat: Histogram<12>,
    whole: Histogram<12>,
}

/// How many of the values that were seen are at most each bound.
#[derive(Debug)]
struct Histogram<const N: usize> {
    bounds: [f64; N],
    /// By the first bound that is not below; the last is above all.
    seen: Mutex<(Vec<u64>, f64)>,
}

impl Metrics {
    /// All 0, with so many lanes.
    pub(crate) fn new(lanes: usize) -> Self {
        Metrics {
            lanes: AtomicU64::new(lanes as u64),
            in_flight: AtomicU64::new(0),
            photos: Default::default(),
            requests: Mutex::default(),
            batch_photos: Histogram::new(PHOTOS),
            decode: Histogram::new(SECONDS),
            trunk: Histogram::new(SECONDS),
            heat: Histogram::new(SECONDS),
            whole: Histogram::new(SECONDS),
        }
    }

    /// A batch of so many photos took these times.
    pub(crate) fn batch(&self, photos: usize, decode: Duration, trunk: Duration) {
        self.batch_photos.see(photos as f64);
        self.decode.see(decode.as_secs_f64());
        self.trunk.see(trunk.as_secs_f64());
    }

    /// The heat of a photo took so long.
    pub(crate) fn heat(&self, took: Duration) {
        self.heat.see(took.as_secs_f64());
    }

    /// A photo has an answer, or is none.
    pub(crate) fn photo(&self, is_answered: bool) {
        self.photos[usize::from(!is_answered)].fetch_add(1, Relaxed);
    }

    /// A request was answered with `status` after `took`.
    pub(crate) fn request(&self, status: u16, took: Duration) {
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner).entry(status).or_default() += 1;
        self.whole.see(took.as_secs_f64());
    }

    /// All of them as text; `waiting` photos are in the queue.
    pub(crate) fn text(&self, waiting: usize) -> String {
        let mut text = String::new();
        head(&mut text, "requests_total", "counter", "Requests answered, by status.");
        for (status, count) in self.requests.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            line(&mut text, &format!("requests_total{{status=\"{status}\"}}"), count);
        }
        head(
            &mut text,
            "photos_total",
            "counter",
            "Photos that were looked at, by whether there is an answer.",
        );
        for (outcome, count) in ["answered", "rejected"].into_iter().zip(&self.photos) {
            line(&mut text, &format!("photos_total{{outcome=\"{outcome}\"}}"), count.load(Relaxed));
        }
        let gauges = [
            ("queue_photos", "Photos that wait for a lane.", waiting as u64),
            ("requests_in_flight", "Requests that are being answered.", self.in_flight.load(Relaxed)),
            ("lanes", "Threads that answer for photos.", self.lanes.load(Relaxed)),
        ];
        for (name, help, value) in gauges {
            head(&mut text, name, "gauge", help);
            line(&mut text, name, value);
        }
        self.batch_photos.write(&mut text, "batch_photos", "Photos in each batch.");
        self.decode.write(&mut text, "decode_seconds", "Seconds to decode the photos of a batch.");
        self.trunk.write(&mut text, "trunk_seconds", "Seconds of the network for a batch.");
        self.heat.write(&mut text, "gradcam_seconds", "Seconds of Grad-CAM for a photo.");
        self.whole.write(&mut text, "request_seconds", "Seconds from a request's headers to its answer.");
        text
    }
}

impl<const N: usize> Histogram<N> {
    fn new(bounds: [f64; N]) -> Self {
        Histogram { bounds, seen: Mutex::new((vec![0; N + 1], 0.0)) }
    }

    fn see(&self, value: f64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.0[place] += 1;
        seen.1 += value;
    }

    fn write(&self, text: &mut String, name: &str, help: &str) {
        head(text, name, "histogram", help);
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut count = 0;
        let bounds = self.bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        for (bound, here) in bounds.zip(&seen.0) {
            count += here;
            line(text, &format!("{name}_bucket{{le=\"{bound}\"}}"), count);
        }
        line(text, &format!("{name}_sum"), seen.1);
        line(text, &format!("{name}_count"), count);
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "# HELP pipeline_{name} {help}\n# TYPE pipeline_{name} {kind}");
}

fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "pipeline_{name} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_times_are_written_as_prometheus_reads_them() {
        let metrics = Metrics::new(2);
        metrics.batch(8, Duration::from_millis(5), Duration::from_millis(300));
        metrics.batch(3, Duration::from_millis(6), Duration::from_secs(40));
        for (status, took) in [(200, 20), (422, 30), (200, 10)] {
            metrics.request(status, Duration::from_millis(took));
        }
        [true, true, false].into_iter().for_each(|is_answered| metrics.photo(is_answered));
        let text = metrics.text(7);
        for expected in [
            "# TYPE pipeline_requests_total counter",
            "pipeline_requests_total{status=\"200\"} 2",
            "pipeline_requests_total{status=\"422\"} 1",
            "pipeline_photos_total{outcome=\"answered\"} 2",
            "pipeline_photos_total{outcome=\"rejected\"} 1",
            "pipeline_queue_photos 7",
            "pipeline_requests_in_flight 0",
            "pipeline_lanes 2",
            "pipeline_batch_photos_bucket{le=\"2\"} 0",
            "pipeline_batch_photos_bucket{le=\"3\"} 1",
            "pipeline_batch_photos_bucket{le=\"8\"} 2",
            "pipeline_batch_photos_sum 11",
            // A value that is a bound is within it.
            "pipeline_decode_seconds_bucket{le=\"0.0025\"} 0",
            "pipeline_decode_seconds_bucket{le=\"0.005\"} 1",
            "pipeline_decode_seconds_bucket{le=\"0.01\"} 2",
            "pipeline_trunk_seconds_bucket{le=\"30\"} 1",
            "pipeline_trunk_seconds_bucket{le=\"+Inf\"} 2",
            "pipeline_trunk_seconds_count 2",
            "pipeline_gradcam_seconds_count 0",
            "pipeline_request_seconds_count 3",
        ] {
            assert!(text.lines().any(|line| line == expected), "{expected}\n{text}");
        }
    }
}
