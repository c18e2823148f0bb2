//! Finished files on their way to a store: kept on disk through an outage, tried again, never delivered under two
//! names.
//!
//! A file lies in the spool under the path that it will have, so that a program that was killed finds after its
//! restart what it had not delivered. Where a delivery happened and nobody heard of it, the next one replaces the file
//! by itself. The spool has a bound; files beyond it are lost, and counted.

use std::{
    collections::VecDeque,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::store::{PART, Store, write_whole};
use crate::talk::say;

/// How long a failed delivery waits for its next try; twice as long after each failure...
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// ... up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What is known of an outbox.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Files that the store took.
    pub(crate) delivered: AtomicU64,
    /// Records in them. Of files that an earlier run left behind nobody knows how many there are.
    pub(crate) delivered_records: AtomicU64,
    /// Records that found the spool full.
    pub(crate) lost_records: AtomicU64,
    /// Deliveries that failed and were tried again.
    pub(crate) failures: AtomicU64,
}

/// Files on their way.
#[derive(Debug)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    news: Condvar,
    spool: Option<PathBuf>,
    bound_len: u64,
    closed: AtomicBool,
    /// What became of the files.
    pub(crate) counts: Counts,
}

#[derive(Debug, Default)]
struct Waiting {
    files: VecDeque<Parcel>,
    len: u64,
    failure: Option<String>,
}

/// A file that waits, on disk or, where there is no spool or no room on the disk, in memory.
#[derive(Debug)]
struct Parcel {
    path: String,
    len: u64,
    records: u64,
    octets: Option<Vec<u8>>,
}

impl Outbox {
    /// An outbox of at most `bound_len` octets that finds in its spool what an earlier run left there.
    pub(super) fn open(spool: Option<PathBuf>, bound_len: u64) -> io::Result<Self> {
        let mut waiting = Waiting::default();
        if let Some(spool) = &spool {
            fs::create_dir_all(spool)?;
            gather(spool, spool, &mut waiting)?;
        }
        Ok(Self {
            waiting: Mutex::new(waiting),
            news: Condvar::new(),
            spool,
            bound_len,
            closed: AtomicBool::new(false),
            counts: Counts::default(),
        })
    }

    /// Takes a file of so many records; tells whether there was room for it.
    pub(super) fn put(&self, path: String, octets: Vec<u8>, records: u64) -> bool {
        let len = octets.len() as u64;
        if self.waiting().len.saturating_add(len) > self.bound_len {
            self.counts.lost_records.fetch_add(records, Ordering::Relaxed);
            return false;
        }
        let is_spooled =
            self.spool.as_ref().is_some_and(|spool| write_whole(&spool.join(&path), &octets).is_ok());
        let mut waiting = self.waiting();
        waiting.len += len;
        waiting.files.push_back(Parcel { path, len, records, octets: (!is_spooled).then_some(octets) });
        self.news.notify_all();
        true
    }

    /// Waits until there is room for so many octets, or nothing is left that could make room.
    pub(super) fn wait_for_room(&self, len: u64) {
        let is_full =
            |waiting: &mut Waiting| waiting.len > 0 && waiting.len.saturating_add(len) > self.bound_len;
        // Who waited may go on also where a lock was poisoned.
        drop(self.news.wait_while(self.waiting(), is_full));
    }

    /// Delivers until it is closed and empty. Where the store fails, it gives up when `patience` has passed since the
    /// outbox was closed, and tells why files are left behind.
    pub(super) fn deliver(&self, store: &mut dyn Store, patience: Duration) -> Result<(), String> {
        let mut wait = FIRST_WAIT;
        let mut closed_at = None;
        loop {
            let is_closed = self.closed.load(Ordering::Acquire);
            if is_closed && closed_at.is_none() {
                closed_at = Some(Instant::now());
            }
            match self.deliver_one(store) {
                Ok(true) => wait = FIRST_WAIT,
                Ok(false) if is_closed => return Ok(()),
                Ok(false) => self.rest(LONGEST_WAIT, true),
                Err(reason) => {
                    self.counts.failures.fetch_add(1, Ordering::Relaxed);
                    if closed_at.is_some_and(|at| at.elapsed() >= patience) {
                        return Err(reason);
                    }
                    self.rest(if closed_at.is_some() { FIRST_WAIT } else { wait }, false);
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    /// No file follows.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.news.notify_all();
    }

    /// Files that wait.
    pub(crate) fn waiting_files(&self) -> usize {
        self.waiting().files.len()
    }

    /// Why files wait, if they do not for long.
    pub(crate) fn failure(&self) -> Option<String> {
        self.waiting().failure.clone()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for so long, or until something changes: a file comes, where `for_files`, or the outbox is closed.
    fn rest(&self, time: Duration, for_files: bool) {
        let was_closed = self.closed.load(Ordering::Acquire);
        let goes_on = |waiting: &mut Waiting| {
            (!for_files || waiting.files.is_empty()) && self.closed.load(Ordering::Acquire) == was_closed
        };
        // The lock's poison and the cause of waking are of no interest.
        drop(self.news.wait_timeout_while(self.waiting(), time, goes_on));
    }

    fn deliver_one(&self, store: &mut dyn Store) -> Result<bool, String> {
        let (path, octets) = {
            let waiting = self.waiting();
            let Some(parcel) = waiting.files.front() else { return Ok(false) };
            (parcel.path.clone(), parcel.octets.clone())
        };
        let spooled = self.spool.as_ref().map(|spool| spool.join(&path));
        let outcome = match (octets, &spooled) {
            (Some(octets), _) => store.put(&path, &octets).map_err(|failure| failure.to_string()),
            (None, Some(spooled)) => match fs::read(spooled) {
                Ok(octets) => store.put(&path, &octets).map_err(|failure| failure.to_string()),
                Err(error) => Err(format!("{}: {error}", spooled.display())),
            },
            (None, None) => Ok(()),
        };
        let mut waiting = self.waiting();
        self.tell(&mut waiting, outcome.as_ref().err());
        outcome?;
        if let Some(parcel) = waiting.files.pop_front() {
            waiting.len = waiting.len.saturating_sub(parcel.len);
            self.news.notify_all();
            self.counts.delivered.fetch_add(1, Ordering::Relaxed);
            self.counts.delivered_records.fetch_add(parcel.records, Ordering::Relaxed);
            if let (None, Some(spooled)) = (&parcel.octets, spooled) {
                self.clear(&spooled);
            }
        }
        Ok(true)
    }

    /// Removes a file and the folders that it leaves empty. If it stays, the next run delivers it once more, under the
    /// same name; a folder that is not empty stays as it should.
    fn clear(&self, spooled: &Path) {
        let _ = fs::remove_file(spooled);
        let folders = spooled.ancestors().skip(1);
        let inside = folders.take_while(|folder| Some(*folder) != self.spool.as_deref());
        let _ = inside.map(fs::remove_dir).take_while(Result::is_ok).count();
    }

    fn tell(&self, waiting: &mut Waiting, reason: Option<&String>) {
        match (&waiting.failure, reason) {
            (None, Some(reason)) => {
                say!("mirrorscope: flow logs wait, and are tried again: {reason}");
            }
            (Some(_), None) => say!("mirrorscope: flow logs are delivered again"),
            _ => {}
        }
        waiting.failure = reason.cloned();
    }
}

/// Finds whole files, and removes what a program was writing when it was killed.
fn gather(spool: &Path, folder: &Path, waiting: &mut Waiting) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            gather(spool, &path, waiting)?;
        } else if path.to_string_lossy().ends_with(PART) {
            fs::remove_file(path)?;
        } else if let Ok(inside) = path.strip_prefix(spool) {
            let len = entry.metadata()?.len();
            let path = inside.to_string_lossy().replace('\\', "/");
            waiting.len += len;
            waiting.files.push_back(Parcel { path, len, records: 0, octets: None });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::failure::Failure;

    /// Takes a file and says that it did not, so many times.
    #[derive(Default)]
    struct Unsure {
        files: BTreeMap<String, Vec<u8>>,
        denials: usize,
    }

    impl Store for Unsure {
        fn put(&mut self, path: &str, octets: &[u8]) -> Result<(), Failure> {
            self.files.insert(path.to_owned(), octets.to_vec());
            if self.denials == 0 {
                return Ok(());
            }
            self.denials -= 1;
            Err(Failure::new("the answer was lost"))
        }
    }

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("mirrorscope-outbox-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn a_file_whose_delivery_was_not_confirmed_is_there_once() {
        let folder = scratch("once");
        let mut store = Unsure { denials: 1, ..Unsure::default() };
        let outbox = Outbox::open(Some(folder.clone()), 1000).unwrap();
        assert!(outbox.put("a/b".to_owned(), vec![1; 10], 3));
        outbox.close();
        outbox.deliver(&mut store, Duration::from_secs(60)).unwrap();
        assert_eq!(store.files, BTreeMap::from([("a/b".to_owned(), vec![1; 10])]));
        assert_eq!(outbox.counts.delivered_records.load(Ordering::Relaxed), 3);
        assert!(!folder.join("a/b").exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_a_killed_program_left_is_delivered_by_the_next_and_its_half_file_is_not() {
        let folder = scratch("restart");
        let first = Outbox::open(Some(folder.clone()), 1000).unwrap();
        assert!(first.put("a/b".to_owned(), vec![7; 10], 3));
        fs::write(folder.join("a/.c.part"), [1]).unwrap();
        drop(first);
        let second = Outbox::open(Some(folder.clone()), 1000).unwrap();
        let mut store = Unsure::default();
        second.close();
        second.deliver(&mut store, Duration::ZERO).unwrap();
        assert_eq!(store.files, BTreeMap::from([("a/b".to_owned(), vec![7; 10])]));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn files_beyond_the_bound_are_lost_and_counted_and_those_before_wait() {
        let outbox = Outbox::open(None, 25).unwrap();
        let taken = ["a", "b", "c"].map(|path| outbox.put(path.to_owned(), vec![0; 10], 5));
        assert_eq!((taken, outbox.waiting_files()), ([true, true, false], 2));
        assert_eq!(outbox.counts.lost_records.load(Ordering::Relaxed), 5);
        outbox.close();
        let mut store = Unsure { denials: 9, ..Unsure::default() };
        assert!(outbox.deliver(&mut store, Duration::ZERO).is_err());
        assert_eq!((outbox.waiting_files(), outbox.failure().is_some()), (2, true));
    }
}
