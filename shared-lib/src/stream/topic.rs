//! One key's history and readers: the pure part, which is only ever touched under its lock.
//!
//! # One history, many positions
//! There is no queue per reader. The topic keeps one ring of the latest events, and a reader is a position in it, so a
//! thousand readers of an event hold it once. A reader is *cut* (taken out; its stream then ends, and the client comes
//! back with the id of the last event that it has seen) when it takes nothing while its share of events passes, or when
//! the ring has moved on past its position. So what a reader can make the process hold is bounded by the ring.
//!
//! # Going back
//! A reader may come with a position that the ring no longer holds, because it was cut long ago or comes from another
//! process. The topic then *rewinds*: it empties its ring and has the upstream stream opened again after that position.
//! The other readers keep their positions and so pass over everything that they have seen: nobody gets an event twice, and
//! there is still one upstream stream. Each opening of the upstream has an epoch, and what an earlier one still says
//! is dropped; otherwise its next event would stand in the emptied ring as if nothing were missing before it.

use std::{collections::VecDeque, task::Waker};

use bytes::Bytes;

use super::{
    event::Event,
    resume::Resume,
    settings::StreamSettings,
    upstream::{Cursor, Signal},
};

/// Heartbeats for which a reader may claim to be ahead of everything that the upstream service has told.
const MAX_BEATS_AHEAD: u8 = 2;

#[derive(Debug, Default)]
pub(super) struct Topic {
    ring: VecDeque<Event>,
    ring_bytes: usize,
    /// All events above this id, up to `position`, are in the ring. `None` until the upstream says where it stands.
    floor: Option<u64>,
    /// Where the upstream stream stands.
    position: Option<u64>,
    /// The largest id that is believed to exist. Above `position` while the upstream replays after a rewind.
    known: u64,
    epoch: u64,
    /// The reader on whose behalf the upstream stream is open.
    owner: Option<u64>,
    /// Upstream tasks that have not ended yet, though their time may be over.
    tasks: usize,
    /// In the order of their ids.
    readers: Vec<Reader>,
    next_reader: u64,
}

#[derive(Debug, Default)]
struct Reader {
    id: u64,
    /// It has everything up to this id. `None` until the upstream says where "now" is.
    seen: Option<u64>,
    /// It must be told that events before its position are missing.
    gap: bool,
    /// It must be told its position.
    announce: bool,
    /// Events since it last took something.
    untaken: usize,
    beats_ahead: u8,
    waker: Option<Waker>,
}

/// What a reader gets next.
#[derive(Debug)]
pub(super) enum Step {
    Event(Bytes),
    Position(u64),
    Gap(Option<u64>),
    /// Nothing now; `orphaned` when no upstream stream is open.
    Wait {
        orphaned: bool,
    },
    /// The reader was cut.
    Cut,
}

/// What came of a signal.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// It came from an opening that is no longer the present one.
    pub(super) stale: bool,
    /// A reader is about to be cut: a short pause may save it.
    pub(super) crowded: bool,
    pub(super) cut: usize,
    pub(super) gaps: usize,
    pub(super) wakers: Vec<Waker>,
}

impl Topic {
    pub(super) fn readers(&self) -> usize {
        self.readers.len()
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Adds a reader. When this rewinds the topic, its epoch changes.
    pub(super) fn join(&mut self, resume: Resume) -> u64 {
        let id = self.next_reader;
        self.next_reader += 1;
        let seen = match resume {
            Resume::After(seen) => {
                if self.floor.is_none_or(|floor| seen < floor) {
                    self.known = self.known.max(seen);
                    self.restart_at(seen);
                    self.epoch += 1;
                }
                Some(seen)
            }
            Resume::Now | Resume::Unreadable => self.floor.map(|_| self.known),
        };
        let gap = resume == Resume::Unreadable;
        self.readers.push(Reader { id, seen, gap, ..Reader::default() });
        id
    }

    /// Ids only grow, so the order in which readers join is the order of their ids.
    fn find(&self, id: u64) -> Option<usize> {
        self.readers.binary_search_by_key(&id, |reader| reader.id).ok()
    }

    /// Where a reader stands.
    pub(super) fn seen(&self, id: u64) -> Option<u64> {
        self.find(id).and_then(|place| self.readers[place].seen)
    }

    /// Takes a reader out, and says whom to wake: without an owner, any of the others opens the upstream again.
    /// `None` when it had been taken out before.
    pub(super) fn leave(&mut self, id: u64) -> Option<Vec<Waker>> {
        let place = self.find(id)?;
        self.readers.remove(place);
        Some(if self.owner == Some(id) { self.abandon() } else { Vec::new() })
    }

    fn abandon(&mut self) -> Vec<Waker> {
        self.owner = None;
        self.epoch += 1;
        self.wake_all()
    }

    pub(super) fn wake_all(&mut self) -> Vec<Waker> {
        self.readers.iter_mut().filter_map(|reader| reader.waker.take()).collect()
    }

    /// Makes a reader the one for whom the upstream is open, unless there is one.
    pub(super) fn claim(&mut self, id: u64) -> bool {
        let free = self.owner.is_none() && self.find(id).is_some();
        if free {
            self.owner = Some(id);
            self.tasks += 1;
            self.epoch += 1;
        }
        free
    }

    /// An upstream task has ended; when it was the owner's, the owner goes with it.
    pub(super) fn task_ended(&mut self, owner: u64) -> Option<Vec<Waker>> {
        self.tasks -= 1;
        if self.owner == Some(owner) { self.leave(owner) } else { None }
    }

    /// Whether nobody needs it any more. While a task ends it is kept, so that the next one waits for its stream to close.
    pub(super) fn is_idle(&self) -> bool {
        self.readers.is_empty() && self.tasks == 0
    }

    /// From where the upstream is to be opened on behalf of this reader; `None` when it is no longer its business.
    pub(super) fn opening(&self, owner: u64) -> Option<(u64, Cursor)> {
        let cursor = self.position.map_or(Cursor::Now, Cursor::After);
        (self.owner == Some(owner)).then_some((self.epoch, cursor))
    }

    /// What the reader gets next. The waker is kept when that is nothing.
    pub(super) fn take(&mut self, id: u64, waker: &Waker) -> Step {
        let Some(place) = self.find(id) else { return Step::Cut };
        let reader = &mut self.readers[place];
        reader.untaken = 0;
        if std::mem::take(&mut reader.gap) {
            reader.announce = false;
            return Step::Gap(reader.seen);
        }
        if let (Some(seen), true) = (reader.seen, std::mem::take(&mut reader.announce)) {
            return Step::Position(seen);
        }
        if let Some(seen) = reader.seen {
            let next = self.ring.partition_point(|event| event.id() <= seen);
            if let Some(event) = self.ring.get(next) {
                reader.seen = Some(event.id());
                return Step::Event(event.encoded().clone());
            }
        }
        match &mut reader.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        Step::Wait { orphaned: self.owner.is_none() }
    }

    /// A heartbeat of a reader. One that stays ahead of everything the upstream knows holds an id that does not exist;
    /// it would wait for ever, so it is told of a gap. True when it has to look again.
    pub(super) fn beat(&mut self, id: u64) -> bool {
        let Some(place) = self.find(id) else { return true };
        let reader = &mut self.readers[place];
        if self.position.is_none() || reader.seen.is_none_or(|seen| seen <= self.known) {
            reader.beats_ahead = 0;
            return false;
        }
        reader.beats_ahead += 1;
        let over = reader.beats_ahead >= MAX_BEATS_AHEAD;
        if over {
            reader.seen = Some(self.known);
            reader.gap = true;
            reader.beats_ahead = 0;
        }
        over
    }

    /// Takes in what the upstream says.
    pub(super) fn apply(&mut self, epoch: u64, signal: Signal, settings: &StreamSettings) -> Applied {
        if epoch != self.epoch {
            return Applied { stale: true, ..Applied::default() };
        }
        match signal {
            Signal::Position { after } => self.stand_at(after),
            Signal::Event(event) if self.position.is_some_and(|position| event.id() <= position) => Applied::default(),
            Signal::Event(event) if event.encoded().len() > settings.max_event_bytes => {
                let begun = self.begin_before(event.id());
                let mut applied = self.stand_at(event.id());
                applied.wakers.extend(begun);
                applied
            }
            Signal::Event(event) => self.push(event, settings),
        }
    }

    /// The upstream stands at `after` and cannot tell what lies between there and where it was asked to begin.
    fn stand_at(&mut self, after: u64) -> Applied {
        let Some(position) = self.position else {
            self.known = self.known.max(after);
            self.restart_at(after);
            for reader in self.readers.iter_mut().filter(|reader| reader.seen.is_none()) {
                (reader.seen, reader.announce) = (Some(after), true);
            }
            return Applied { wakers: self.wake_all(), ..Applied::default() };
        };
        if after == position {
            return Applied::default();
        }
        // An upstream that stands before where it was asked to begin has lost what everybody here relies on.
        let lost = after < position;
        self.known = if lost { after } else { self.known.max(after) };
        self.restart_at(after);
        let mut gaps = 0;
        for reader in &mut self.readers {
            if lost || reader.seen.is_none_or(|seen| seen < after) {
                (reader.seen, reader.gap) = (Some(after), true);
                gaps += 1;
            }
        }
        Applied { gaps, wakers: self.wake_all(), ..Applied::default() }
    }

    /// An upstream that does not say where it stands stands right before its first event.
    fn begin_before(&mut self, first: u64) -> Vec<Waker> {
        if self.position.is_some() { Vec::new() } else { self.stand_at(first.saturating_sub(1)).wakers }
    }

    fn restart_at(&mut self, position: u64) {
        self.ring.clear();
        self.ring_bytes = 0;
        self.floor = Some(position);
        self.position = Some(position);
    }

    fn push(&mut self, event: Event, settings: &StreamSettings) -> Applied {
        let id = event.id();
        let mut applied = Applied { wakers: self.begin_before(id), ..Applied::default() };
        self.ring_bytes += event.encoded().len();
        self.ring.push_back(event);
        self.position = Some(id);
        self.known = self.known.max(id);
        while self.ring.len() > settings.history_events.max(1) || self.ring_bytes > settings.history_bytes {
            let Some(oldest) = self.ring.pop_front() else { break };
            self.ring_bytes -= oldest.encoded().len();
            self.floor = Some(oldest.id());
        }
        let (floor, owner) = (self.floor, self.owner);
        let mut owner_cut = false;
        self.readers.retain_mut(|reader| {
            if reader.seen.is_some_and(|seen| seen >= id) {
                return true;
            }
            reader.untaken += 1;
            let cut =
                reader.untaken > settings.client_buffer_events || reader.seen.is_some_and(|seen| Some(seen) < floor);
            applied.crowded |= !cut && reader.untaken * 2 > settings.client_buffer_events;
            applied.cut += usize::from(cut);
            owner_cut |= cut && owner == Some(reader.id);
            // A reader that is cut is woken too, to end its stream.
            applied.wakers.extend(reader.waker.take());
            !cut
        });
        if owner_cut {
            applied.wakers.extend(self.abandon());
        }
        applied
    }
}
