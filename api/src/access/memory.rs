//! Answers that are good for a few seconds.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::time::{Duration, Instant};

/// How long an answer is good for: who loses a right keeps it for no longer.
const VALID_FOR: Duration = Duration::from_secs(10);

/// How many answers are kept. With more askers than that, some are asked about again.
const MAX_CACHED: usize = 1_024;

/// Answers by question.
#[derive(Debug)]
pub(super) struct Memory<K, V>(Mutex<HashMap<K, (Instant, V)>>);

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Eq + Hash, V: Clone> Memory<K, V> {
    pub(super) fn recall(&self, question: &K) -> Option<V> {
        let answers = self.lock();
        answers.get(question).filter(|(at, _)| at.elapsed() < VALID_FOR).map(|(_, answer)| answer.clone())
    }

    pub(super) fn keep(&self, question: K, answer: V) {
        let mut answers = self.lock();
        if answers.len() >= MAX_CACHED {
            answers.retain(|_, (at, _)| at.elapsed() < VALID_FOR);
        }
        if answers.len() >= MAX_CACHED {
            answers.clear();
        }
        answers.insert(question, (Instant::now(), answer));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, (Instant, V)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_forgotten_after_ten_seconds() {
        let memory = Memory::default();
        memory.keep("a", 1);
        tokio::time::advance(Duration::from_millis(9_999)).await;
        assert_eq!(memory.recall(&"a"), Some(1));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(memory.recall(&"a"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_is_kept_than_fits() {
        let memory = Memory::default();
        for number in 0..10 * MAX_CACHED {
            memory.keep(number, number);
            assert!(memory.lock().len() <= MAX_CACHED);
            assert_eq!(memory.recall(&number), Some(number));
        }
    }
}
