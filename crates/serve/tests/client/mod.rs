//! HTTP by hand: what is sent is what stands here.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The header `name`, in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// The head of a request to localhost, whose connection ends with it.
pub(crate) fn head(method: &str, path: &str, headers: &[(&str, &str)], length: Option<usize>) -> String {
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = length.map_or_else(String::new, |length| format!("Content-Length: {length}\r\n"));
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{length}{lines}\r\n")
}

pub(crate) fn send(at: SocketAddr, head: &str, body: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    // Who is refused by the head may not read the body.
    let _ = stream.write_all(body);
    let mut reply = vec![];
    stream.read_to_end(&mut reply).unwrap();
    let end = reply.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer has a head");
    let head = String::from_utf8(reply[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head, body: reply.split_off(end + 4) }
}

pub(crate) fn get(at: SocketAddr, path: &str) -> Reply {
    send(at, &head("GET", path, &[], None), b"")
}

pub(crate) fn post(at: SocketAddr, path: &str, body: &[u8]) -> Reply {
    send(at, &head("POST", path, &[], Some(body.len())), body)
}

/// A form of files with these names, and its content type.
pub(crate) fn form(files: &[(&str, &[u8])]) -> (String, Vec<u8>) {
    let mut body = vec![];
    for (at, (name, content)) in files.iter().enumerate() {
        let head =
            format!("--cut\r\nContent-Disposition: form-data; name=\"f{at}\"; filename=\"{name}\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--cut--\r\n");
    ("multipart/form-data; boundary=cut".to_owned(), body)
}
