//! [`Settings`]: where to listen, and how much to take.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

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
        }
    }
}

impl Settings {
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
        (8 * self.most_body).clamp(self.most_body, (256 << 20).max(self.most_body))
    }
}
