//! What can go wrong before the first question. What is wrong with a question is its answer.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use pipeline_stage::Hint;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model, or too little memory for another lane.
    #[error(transparent)]
    Model(#[from] pipeline_predict::Error),
    /// The table of the training photos' features, or of the photos.
    #[error(transparent)]
    Table(#[from] pipeline_table::Error),
    /// Another program listens there, or it is not allowed.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The operating system refuses threads or sockets.
    #[error("cannot start to serve: {0}")]
    Start(io::Error),
    /// Features that are not comparable with those of the model.
    #[error("cannot find neighbours in {}: its features were made with {what} {found}, expected {expected}, as the model's", dir.display())]
    OtherFeatures {
        /// The table.
        dir: PathBuf,
        /// `a trunk of the digest`, `the pooling`, `the preprocessing`.
        what: &'static str,
        /// Of the table.
        found: String,
        /// Of the model.
        expected: String,
    },
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Model(error) => return error.hint(),
            Error::Table(error) => return error.hint(),
            Error::Listen { source, address } => match source.kind() {
                io::ErrorKind::AddrInUse => format!(
                    "another program listens at port {}: name another with `--port`, or 0 for any that is free",
                    address.port()
                ),
                io::ErrorKind::PermissionDenied => {
                    "ports below 1024 are the administrator's: use a higher one".to_owned()
                }
                io::ErrorKind::AddrNotAvailable => {
                    "name an address of this machine, 127.0.0.1 for itself or 0.0.0.0 for all it has".to_owned()
                }
                _ => return None,
            },
            Error::Start(_) => return None,
            Error::OtherFeatures { .. } => {
                "name the artifact of precompute that the model's head was trained on; a fine-tuned trunk has none".to_owned()
            }
        };
        Some(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_says_what_was_found_and_the_way_out() {
        let listen = |kind: io::ErrorKind| {
            let error = Error::Listen { address: ([127, 0, 0, 1], 80).into(), source: kind.into() };
            (error.to_string(), error.hint())
        };
        let (message, hint) = listen(io::ErrorKind::AddrInUse);
        assert_eq!(message, "cannot listen at 127.0.0.1:80: address in use");
        let way = "another program listens at port 80: name another with `--port`, or 0 for any that is free";
        assert_eq!(hint.as_deref(), Some(way));
        let (message, hint) = listen(io::ErrorKind::PermissionDenied);
        assert_eq!(message, "cannot listen at 127.0.0.1:80: permission denied");
        assert_eq!(hint.as_deref(), Some("ports below 1024 are the administrator's: use a higher one"));
        let (_, hint) = listen(io::ErrorKind::AddrNotAvailable);
        let way = "name an address of this machine, 127.0.0.1 for itself or 0.0.0.0 for all it has";
        assert_eq!(hint.as_deref(), Some(way));
        assert_eq!(listen(io::ErrorKind::Other).1, None);
        let error = Error::Start(io::Error::other("no threads"));
        assert_eq!((error.to_string().as_str(), error.hint()), ("cannot start to serve: no threads", None));
        let error = Error::OtherFeatures {
            dir: "out/c/precompute/features".into(),
            what: "a trunk of the digest",
            found: "12".to_owned(),
            expected: "34".to_owned(),
        };
        let message = "cannot find neighbours in out/c/precompute/features: its features were made with a trunk of the digest 12, \
                       expected 34, as the model's";
        let way = "name the artifact of precompute that the model's head was trained on; a fine-tuned trunk has none";
        assert_eq!((error.to_string().as_str(), error.hint().as_deref()), (message, Some(way)));
    }
}
