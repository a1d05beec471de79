//! How many photos a second `pipeline serve` answers for when several ask at once.
//!
//! ```text
//! pipeline serve out/mine/head &
//! cargo run --release -p pipeline-serve --example load -- 127.0.0.1:8080 data/photos/valid/cats 16 800
//! ```
//!
//! Each of so many clients asks for one photo after the other, on a connection of its own. What `precompute` said in its run,
//! photos per second, is what the trunk gives on all threads.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a tool of one page that says what it measures"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Status of the answer for `photo`.
fn ask(stream: &mut BufReader<TcpStream>, photo: &[u8]) -> u16 {
    let length = photo.len();
    let head = format!("POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    stream.get_mut().write_all(&[head.as_bytes(), photo].concat()).unwrap();
    let (mut status, mut body) = (0, 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        match line.trim_end().split_once(' ') {
            Some(("HTTP/1.1", rest)) => status = rest[..3].parse().unwrap(),
            Some(("content-length:", length)) => body = length.parse().unwrap(),
            None => break,
            Some(_) => {}
        }
    }
    stream.read_exact(&mut vec![0; body]).unwrap();
    status
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, folder, clients, count] = arguments.as_slice() else {
        panic!("expected: ADDRESS FOLDER CLIENTS PHOTOS")
    };
    let (clients, count): (usize, usize) = (clients.parse().unwrap(), count.parse().unwrap());
    let files = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let photos: Vec<Vec<u8>> = files.take(count).map(|path| fs_err::read(path).unwrap()).collect();
    let (next, took) = (AtomicUsize::new(0), Mutex::new(Vec::<Duration>::new()));
    let began = Instant::now();
    std::thread::scope(|threads| {
        for _ in 0..clients {
            threads.spawn(|| {
                let mut stream = BufReader::new(TcpStream::connect(address).unwrap());
                loop {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    if turn >= count {
                        break;
                    }
                    let asked = Instant::now();
                    let status = ask(&mut stream, &photos[turn % photos.len()]);
                    assert_eq!(status, 200);
                    took.lock().unwrap().push(asked.elapsed());
                }
            });
        }
    });
    let seconds = began.elapsed().as_secs_f64();
    let mut took = took.into_inner().unwrap();
    took.sort_unstable();
    let at = |share: usize| took[(took.len() - 1) * share / 100].as_millis();
    println!(
        "{count} photos, {clients} clients: {:.1} photos/s; an answer takes {} ms (median), {} ms (95 %)",
        count as f64 / seconds,
        at(50),
        at(95)
    );
}
