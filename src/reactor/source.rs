//! What a reactor owns and watches.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use super::connect::Connecting;
use super::connection::Connection;
use super::handle::Shared;
use super::listen::Listening;
use super::selector::Trigger;
use super::watch::Watched;
use crate::poll::Events;

pub(super) struct Source {
    pub(super) kind: Kind,
    /// What the selector was told last.
    pub(super) armed: Events,
    /// It is in the list of those whose interest may have changed.
    pub(super) dirty: bool,
    /// Something may be left of what was reported: it is to be set again.
    pub(super) again: bool,
    /// It is in the list of those for which something is due.
    pub(super) due: bool,
}

// The rare ones in boxes: of connections there are thousands.
pub(super) enum Kind {
    Connection(Connection),
    Connecting(Box<Connecting>),
    Listener(Box<Listening>),
    Watch {
        /// None while its callback is at work.
        watched: Option<Box<dyn Watched>>,
        events: Events,
    },
    Waker(Arc<Shared>),
}

impl Source {
    pub(super) fn new(kind: Kind) -> Source {
        Source { kind, armed: Events::empty(), dirty: false, again: false, due: false }
    }

    /// Its descriptor; none while it has none.
    #[inline]
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.kind {
            Kind::Connection(connection) => Some(connection.socket.as_fd()),
            Kind::Connecting(connecting) => connecting.fd(),
            Kind::Listener(listening) => Some(listening.socket.as_fd()),
            Kind::Watch { watched, .. } => watched.as_ref().map(|watched| watched.fd()),
            Kind::Waker(shared) => Some(shared.waker()),
        }
    }

    /// How often it has to be reported.
    #[inline]
    pub(super) fn trigger(&self) -> Trigger {
        match &self.kind {
            Kind::Connection(connection) => connection.trigger,
            _ => Trigger::Level,
        }
    }

    /// What it is to be watched for.
    #[inline]
    pub(super) fn interest(&self) -> Events {
        match &self.kind {
            Kind::Connection(connection) => connection.interest(),
            Kind::Connecting(connecting) => connecting.interest(),
            Kind::Listener(listening) => listening.interest(),
            Kind::Watch { events, .. } => *events,
            Kind::Waker(_) => Events::IN,
        }
    }

    #[inline]
    pub(super) fn is_due(&self) -> bool {
        match &self.kind {
            Kind::Connection(connection) => connection.is_due(),
            Kind::Connecting(connecting) => connecting.is_due(),
            Kind::Listener(_) | Kind::Watch { .. } | Kind::Waker(_) => false,
        }
    }
}

// What an idle connection costs: cargo xtask bench reactor measures the whole of it.
const _: () = assert!(size_of::<usize>() > 8 || size_of::<Source>() <= 72);
