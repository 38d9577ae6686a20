//! In which order one CI system is queried: what is due, the longest due first, and what somebody is in a hurry about. Both
//! take turns, so that however many CI events come, whatever is due is asked for as well.

use std::collections::{BTreeMap, BTreeSet};

use lifecycle::pipeline::CiObjectRef;
use tokio::time::Instant;

/// What is to be asked of one CI system, and when. What is being asked is not in it.
#[derive(Debug, Default)]
pub(super) struct Due {
    regular: Line,
    hurried: Line,
    /// In which of both each one is, and since or from when.
    places: BTreeMap<CiObjectRef, Place>,
    /// They were hurried while they were asked for: the answer may be older than the CI event.
    again: BTreeSet<CiObjectRef>,
    /// The last one that was taken was hurried.
    was_hurried: bool,
}

type Line = BTreeSet<(Instant, CiObjectRef)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Regular(Instant),
    Hurried,
}

impl Due {
    /// One is due then, and not before, unless it was hurried since it was taken.
    pub(super) fn add(&mut self, origin: &CiObjectRef, at: Instant, now: Instant) {
        if self.again.remove(origin) {
            self.hurried.insert((now, origin.clone()));
            self.places.insert(origin.clone(), Place::Hurried);
        } else {
            self.regular.insert((at, origin.clone()));
            self.places.insert(origin.clone(), Place::Regular(at));
        }
    }

    /// One of those that were added is to be asked for at once; what is hurried already is not hurried twice.
    pub(super) fn hurry(&mut self, origin: &CiObjectRef, now: Instant) {
        match self.places.get(origin) {
            Some(Place::Hurried) => {}
            Some(Place::Regular(at)) => {
                self.regular.remove(&(*at, origin.clone()));
                self.hurried.insert((now, origin.clone()));
                self.places.insert(origin.clone(), Place::Hurried);
            }
            None => {
                self.again.insert(origin.clone());
            }
        }
    }

    /// From when on the next one is due; `None`: there is none.
    pub(super) fn next(&self) -> Option<Instant> {
        let first = |line: &Line| Some(line.first()?.0);
        first(&self.hurried).into_iter().chain(first(&self.regular)).min()
    }

    /// Takes the next one that is due by now.
    pub(super) fn take(&mut self, now: Instant) -> Option<CiObjectRef> {
        let is_due = self.regular.first().is_some_and(|(at, _)| *at <= now);
        let is_turn = !(is_due && self.was_hurried);
        self.was_hurried = is_turn && !self.hurried.is_empty();
        let (_, origin) = match (self.was_hurried, is_due) {
            (true, _) => self.hurried.pop_first()?,
            (false, true) => self.regular.pop_first()?,
            (false, false) => return None,
        };
        self.places.remove(&origin);
        Some(origin)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lifecycle::pipeline::{CiObjectKind, CiSystem};

    use super::*;

    /// Pipelines, each due after so many seconds of one instant.
    struct Told {
        due: Due,
        start: Instant,
    }

    impl Told {
        fn new(all: &[(u64, u64)]) -> Self {
            let mut told = Self { due: Due::default(), start: Instant::now() };
            all.iter().for_each(|(id, second)| told.add(*id, *second));
            told
        }

        fn add(&mut self, id: u64, second: u64) {
            self.due.add(&origin(id), self.after(second), self.start);
        }

        fn hurry(&mut self, ids: &[u64]) {
            ids.iter().for_each(|id| self.due.hurry(&origin(*id), self.start));
        }

        /// Everything that is due by this second.
        fn taken(&mut self, second: u64) -> Vec<u64> {
            let now = self.after(second);
            std::iter::from_fn(|| self.due.take(now)).map(|origin| origin.id).collect()
        }

        fn after(&self, seconds: u64) -> Instant {
            self.start + Duration::from_secs(seconds)
        }
    }

    fn origin(id: u64) -> CiObjectRef {
        CiObjectRef::told(CiSystem::Gitlab, "7", CiObjectKind::Pipeline, id).unwrap()
    }

    #[test]
    fn the_longest_due_is_first_and_what_is_not_due_waits() {
        let mut told = Told::new(&[(1, 20), (2, 10), (3, 30)]);
        assert_eq!(told.due.next(), Some(told.after(10)));
        assert_eq!(told.taken(25), [2, 1]);
        assert_eq!(told.due.next(), Some(told.after(30)));
        assert_eq!(told.taken(30), [3]);
        assert_eq!(told.due.next(), None);
    }

    #[test]
    fn what_is_hurried_is_due_at_once_and_asked_for_once() {
        let mut told = Told::new(&[(1, 60), (2, 60)]);
        told.hurry(&[2, 2, 2]);
        assert_eq!(told.due.next(), Some(told.start));
        assert_eq!(told.taken(0), [2]);
        told.add(2, 90);
        assert_eq!(told.taken(60), [1]);
        assert_eq!(told.taken(90), [2]);
    }

    #[test]
    fn what_is_due_takes_turns_with_what_is_hurried() {
        let mut told = Told::new(&[(1, 0), (2, 0), (3, 0), (4, 9), (5, 9), (6, 9), (7, 9), (8, 9)]);
        told.hurry(&[4, 5, 6, 7, 8]);
        assert_eq!(told.taken(0), [4, 1, 5, 2, 6, 3, 7, 8]);
    }

    #[test]
    fn what_is_hurried_while_it_is_asked_for_is_asked_for_again() {
        let mut told = Told::new(&[(1, 0)]);
        assert_eq!(told.taken(0), [1]);
        told.hurry(&[1, 1]);
        assert_eq!(told.due.next(), None, "it is being asked for");
        told.add(1, 60);
        assert_eq!(told.taken(0), [1]);
        told.add(1, 60);
        assert_eq!(told.taken(0), [0; 0]);
    }
}
