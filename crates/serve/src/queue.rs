//! [`Queue`]: photos that wait for a lane, and are taken in batches.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use pipeline_predict::Answer;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// How long a photo waits for others to share its batch, where lanes are idle: some hundredths of what a batch takes, and
/// enough for what several connections send at one time.
const PATIENCE: Duration = Duration::from_millis(4);

/// What is asked about a photo.
#[derive(Debug)]
pub(crate) struct Question {
    /// The content of a file.
    pub(crate) photo: Bytes,
    /// Whether the heat of the answer is wanted.
    pub(crate) heat: bool,
    /// The memory of the body is taken until its last photo is dropped, also where nobody waits for it any more.
    pub(crate) _memory: Arc<OwnedSemaphorePermit>,
}

/// What a lane says to it.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) answer: Answer,
    /// The view with the heat of the most probable class over it, a PNG file, or why there is none; where it was wanted and there
    /// is an answer.
    pub(crate) heat: Option<Result<Vec<u8>, String>>,
}

/// Where an answer arrives: why the model failed where it did. Dropped by whoever does not wait any more.
pub(crate) type Reply = oneshot::Receiver<Result<Said, String>>;

/// A question in the queue.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) question: Question,
    pub(crate) reply: oneshot::Sender<Result<Said, String>>,
    since: Instant,
}

/// Why questions were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// As many wait as may.
    Full,
    /// No lane takes any more.
    Closed,
}

/// Photos that wait for a lane, first come, first served. Of bounded length.
#[derive(Debug)]
pub(crate) struct Queue {
    line: Mutex<Line>,
    came: Condvar,
    most: usize,
}

#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Waiting>,
    is_closed: bool,
}

impl Queue {
    /// An empty one for at most so many.
    pub(crate) fn new(most: usize) -> Self {
        Queue { line: Mutex::default(), came: Condvar::new(), most }
    }

    /// Puts all questions at the end, or none; their replies, in order.
    pub(crate) fn add(&self, questions: Vec<Question>) -> Result<Vec<Reply>, NoRoom> {
        let mut line = self.line();
        line.forget_the_gone();
        if line.is_closed {
            return Err(NoRoom::Closed);
        }
        if line.waiting.len() + questions.len() > self.most {
            return Err(NoRoom::Full);
        }
        let since = Instant::now();
        let mut replies = Vec::with_capacity(questions.len());
        for question in questions {
            let (reply, receiver) = oneshot::channel();
            line.waiting.push_back(Waiting { question, reply, since });
            replies.push(receiver);
        }
        self.came.notify_all();
        Ok(replies)
    }

    /// Waits for a photo, and a little for more, and takes at most `most`, which is at least 1. `None` when the queue is closed
    /// and empty.
    pub(crate) fn take(&self, most: usize) -> Option<Vec<Waiting>> {
        let mut line = self.line();
        loop {
            line.forget_the_gone();
            let left = line.waiting.front().map(|first| PATIENCE.saturating_sub(first.since.elapsed()));
            line = match left {
                Some(left) if line.waiting.len() < most && !left.is_zero() && !line.is_closed => {
                    let woken = self.came.wait_timeout(line, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                Some(_) => {
                    let count = most.min(line.waiting.len());
                    return Some(line.waiting.drain(..count).collect());
                }
                None if line.is_closed => return None,
                None => self.came.wait(line).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Takes no more questions; those that wait are still handed out.
    pub(crate) fn close(&self) {
        self.line().is_closed = true;
        self.came.notify_all();
    }

    /// Forgets those that wait: nobody is left to answer them.
    pub(crate) fn clear(&self) {
        self.line().waiting.clear();
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.line().waiting.len()
    }

    /// A thread that panicked leaves the line whole: nothing is done to it in steps.
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Whoever asked has gone, or was told that it takes too long.
    fn forget_the_gone(&mut self) {
        self.waiting.retain(|waiting| !waiting.reply.is_closed());
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    fn questions(count: u8) -> Vec<Question> {
        questions_in(&Arc::new(Semaphore::new(1)), count)
    }

    /// Of one body.
    fn questions_in(memory: &Arc<Semaphore>, count: u8) -> Vec<Question> {
        let permit = Arc::new(Arc::clone(memory).try_acquire_owned().unwrap());
        let question = |i| Question { photo: vec![i].into(), heat: false, _memory: Arc::clone(&permit) };
        (0..count).map(question).collect()
    }

    fn taken(queue: &Queue, most: usize) -> Vec<u8> {
        queue.take(most).unwrap().iter().map(|waiting| waiting.question.photo[0]).collect()
    }

    #[test]
    fn photos_are_taken_in_batches_in_the_order_in_which_they_came() {
        let queue = Queue::new(9);
        let _replies = (queue.add(questions(5)).unwrap(), queue.add(questions(2)).unwrap());
        assert_eq!(taken(&queue, 4), [0, 1, 2, 3]);
        assert_eq!(queue.len(), 3);
        assert_eq!(taken(&queue, 4), [4, 0, 1]);
    }

    #[test]
    fn all_photos_of_a_request_find_room_or_none() {
        let queue = Queue::new(5);
        let _first = queue.add(questions(3)).unwrap();
        assert_eq!(queue.add(questions(3)).unwrap_err(), NoRoom::Full);
        assert_eq!(queue.len(), 3);
        let _second = queue.add(questions(2)).unwrap();
        assert_eq!(queue.len(), 5);
    }

    #[test]
    fn what_nobody_waits_for_any_more_makes_room() {
        let queue = Queue::new(3);
        drop(queue.add(questions(3)).unwrap());
        let _replies = queue.add(questions(2)).unwrap();
        assert_eq!(taken(&queue, 8), [0, 1]);
    }

    #[test]
    fn memory_is_taken_until_the_last_photo_of_a_body_is_dropped_though_nobody_waits() {
        let (queue, memory) = (Queue::new(3), Arc::new(Semaphore::new(1)));
        let replies = queue.add(questions_in(&memory, 2)).unwrap();
        let first = queue.take(1).unwrap();
        drop(replies);
        assert_eq!(memory.available_permits(), 0);
        queue.clear();
        assert_eq!(memory.available_permits(), 0, "a lane has the first");
        drop(first);
        assert_eq!(memory.available_permits(), 1);
    }

    #[test]
    fn a_closed_queue_hands_out_what_waits_and_then_nothing() {
        let queue = Queue::new(3);
        let _replies = queue.add(questions(2)).unwrap();
        queue.close();
        assert_eq!(queue.add(questions(1)).unwrap_err(), NoRoom::Closed);
        assert_eq!(taken(&queue, 8), [0, 1]);
        assert!(queue.take(8).is_none());
    }

    #[test]
    fn a_photo_waits_a_little_for_others_and_not_longer() {
        let queue = Queue::new(9);
        std::thread::scope(|threads| {
            let taker = threads.spawn(|| (taken(&queue, 2), Instant::now()));
            let first = queue.add(questions(1)).unwrap();
            let second = queue.add(questions(1)).unwrap();
            assert_eq!(taker.join().unwrap().0.len(), 2, "both came within the patience");
            drop((first, second));
        });
        let began = Instant::now();
        let _alone = queue.add(questions(1)).unwrap();
        assert_eq!(taken(&queue, 2), [0]);
        assert!(began.elapsed() >= PATIENCE, "{:?}", began.elapsed());
    }
}
