//! [`Settings`]: where to listen, and how much to take.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use pipeline_photo::Limits;

/// Most files in one request.
pub const MOST_FILES: usize = 64;

/// Where to listen, and how much to take.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen; port 0 picks a free one.
    pub address: SocketAddr,
    /// Lanes: photos are decoded and looked at on so many threads. Connections have one more, which has little to do.
    pub threads: NonZeroUsize,
    /// Most bytes of a request's body.
    pub most_body: usize,
    /// How long a body may take to arrive, and then its answer, and what runs at the end.
    pub timeout: Duration,
    /// Photos that may wait for a lane.
    pub queue: NonZeroUsize,
    /// Most pixels that a photo may declare, since a small file may declare many: [`Settings::limits`].
    pub most_pixels: u64,
    /// Origins (`https://photos.example`) whose pages may ask besides the server's own, and whose host may be asked for: that of
    /// a reverse proxy. In lower case, without a slash at the end.
    pub origins: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            address: (Ipv4Addr::LOCALHOST, 8080).into(),
            threads: NonZeroUsize::MIN,
            // A photo of a camera has 5 to 15 MB.
            most_body: 32 << 20,
            timeout: Duration::from_secs(30),
            // Some seconds of work on two processors.
            queue: NonZeroUsize::new(2 * MOST_FILES).unwrap_or(NonZeroUsize::MIN),
            // Cameras of today, but for the largest; 150 MB in each lane.
            most_pixels: 50_000_000,
            origins: vec![],
        }
    }
}

impl Settings {
    /// The limits for the model's [`Options`](pipeline_predict::Options): at most `most_pixels`, with the memory that
    /// [`Limits::default`] grants each.
    pub fn limits(&self) -> Limits {
        let usual = Limits::default();
        let bytes = usual.max_memory_bytes / usual.max_pixels;
        Limits { max_pixels: self.most_pixels, max_memory_bytes: self.most_pixels.saturating_mul(bytes) }
    }

    /// Whether only this machine can ask.
    pub fn is_loopback(&self) -> bool {
        self.address.ip().is_loopback()
    }

    /// Most files in one request: all have to find room in the queue.
    pub(crate) fn most_files(&self) -> usize {
        MOST_FILES.min(self.queue.get())
    }

    /// Bytes of bodies in memory at a time, of all requests: a few large ones, or many of the usual size.
    pub(crate) fn most_in_memory(&self) -> usize {
        self.most_body.saturating_mul(8).clamp(self.most_body, (256 << 20).max(self.most_body))
    }
}
