// SPDX-License-Identifier: BSD-2-Clause
//! Serves a board to processes: the listener, the open files and the threads.
//!
//! Threads: one poller (new connections, hang-ups, dead clients), one closer (last closes, which
//! may sleep), one notifier (readiness of files; the driver announces a change with locks held, so
//! the file is polled here) and one worker per control connection, that is, per client thread that
//! uses the board; each ends with its connection. Lock order: `files`, `controls` and `clients` are
//! never held together.

use crate::connection::{self, Control};
use crate::open_file::{close_files, OpenFile};
use crate::process::Client;
use crate::sock;
use board_gpus::TraceFile;
use drm_os_host::{Device, File, World};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{eventfd, EventfdFlags};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

enum Notice {
    Look(u64),
    Stop,
}

/// The state that all threads of a server share.
pub(crate) struct Shared {
    pub(crate) world: World,
    pub(crate) device: Device,
    /// The driver's name, which selects the names of its requests.
    pub(crate) driver: String,
    /// Abstract name of the listener.
    pub(crate) name: String,
    pub(crate) trace: Option<Arc<TraceFile>>,
    listener: OwnedFd,
    epoll: OwnedFd,
    stop: OwnedFd,
    next: AtomicU64,
    files: Mutex<HashMap<u64, Arc<OpenFile>>>,
    controls: Mutex<HashMap<u64, Arc<Control>>>,
    clients: Mutex<HashMap<i32, Arc<Client>>>,
    /// All clients ever, in order of their first call.
    seen: Mutex<Vec<Arc<Client>>>,
    workers: AtomicUsize,
    changed: (Mutex<()>, Condvar),
    closer: Mutex<Sender<Arc<OpenFile>>>,
    notifier: Mutex<Sender<Notice>>,
}

/// The source of an epoll event: its kind in the top byte, its number below.
const LISTENER: u64 = 1 << 56;
const STOP: u64 = 2 << 56;
const FILE: u64 = 3 << 56;
const CONTROL: u64 = 4 << 56;
const CLIENT: u64 = 5 << 56;
const KIND: u64 = 0xff << 56;

impl Shared {
    pub(crate) fn file(&self, key: u64) -> Option<Arc<OpenFile>> {
        self.files.lock().unwrap().get(&key).cloned()
    }

    fn changed(&self) {
        let _guard = self.changed.0.lock().unwrap();
        self.changed.1.notify_all();
    }

    /// Waits until `done` or the deadline; true when done.
    fn wait(&self, until: Instant, done: impl Fn() -> bool) -> bool {
        let mut guard = self.changed.0.lock().unwrap();
        loop {
            if done() {
                return true;
            }
            let Some(left) = until.checked_duration_since(Instant::now()) else {
                return false;
            };
            guard = self.changed.1.wait_timeout(guard, left).unwrap().0;
        }
    }

    fn watch(&self, fd: impl AsFd, what: u64, events: EventFlags) -> io::Result<()> {
        Ok(epoll::add(
            &self.epoll,
            fd,
            EventData::new_u64(what),
            events,
        )?)
    }

    /// Ignores a descriptor that is not watched.
    fn unwatch(&self, fd: impl AsFd) {
        let _ = epoll::delete(&self.epoll, fd);
    }

    /// Creates a descriptor of `file`: the client's end of its socket, to be sent to the client.
    ///
    /// # Errors
    /// The server is out of descriptors; the file is closed.
    pub(crate) fn make_file(
        &self,
        file: File,
        device: u64,
        owner: &Arc<Client>,
    ) -> io::Result<OwnedFd> {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        let (socket, theirs) = sock::pair(&format!("{}#{key:x}", self.name))?;
        let notify = Mutex::new(self.notifier.lock().unwrap().clone());
        file.on_wake(Box::new(move || {
            // The notifier has ended: the board is being taken down.
            let _ = notify.lock().unwrap().send(Notice::Look(key));
        }));
        let open = Arc::new(OpenFile::new(key, file, device, owner, socket));
        // Listed first: a wake-up before it is listed would be lost.
        self.files.lock().unwrap().insert(key, open.clone());
        open.look();
        // Only hang-ups, which are always reported: the server never reads data of a client.
        if let Err(error) = self.watch(&open.socket, FILE | key, EventFlags::empty()) {
            self.close(key);
            return Err(error);
        }
        Ok(theirs)
    }

    /// The last copy of a file was closed.
    fn close(&self, key: u64) {
        let open = self.files.lock().unwrap().remove(&key);
        if let Some(open) = open {
            self.unwatch(&open.socket);
            // The closer ends with the server, which closes the remaining files itself.
            let _ = self.closer.lock().unwrap().send(open);
        }
        self.changed();
    }

    /// The client `pid`, a new one if the process is new or the number is reused.
    pub(crate) fn client(&self, pid: i32, uid: u32) -> io::Result<Arc<Client>> {
        let mut clients = self.clients.lock().unwrap();
        if let Some(client) = clients.get(&pid).filter(|client| !client.dead()) {
            return Ok(client.clone());
        }
        let client = Arc::new(Client::new(pid, uid)?);
        self.watch(&client.pidfd, CLIENT | pid as u64, EventFlags::IN)?;
        if let Some(old) = clients.insert(pid, client.clone()) {
            self.unwatch(&old.pidfd);
        }
        self.seen.lock().unwrap().push(client.clone());
        Ok(client)
    }

    pub(crate) fn add_control(&self, control: &Arc<Control>) -> io::Result<u64> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.controls.lock().unwrap().insert(id, control.clone());
        self.watch(&control.socket, CONTROL | id, EventFlags::empty())
            .map(|()| id)
            .inspect_err(|_| self.remove_control(id))
    }

    pub(crate) fn remove_control(&self, id: u64) {
        if let Some(control) = self.controls.lock().unwrap().remove(&id) {
            self.unwatch(&control.socket);
        }
        self.changed();
    }

    /// A signal interrupted request `seq` of the connection with the client's number `number`.
    /// Returns false if there is none.
    pub(crate) fn interrupt(&self, pid: i32, number: u64, seq: u64) -> bool {
        let controls = self.controls.lock().unwrap();
        let control = controls
            .values()
            .find(|c| c.client.pid == pid && c.number == number);
        control.inspect(|control| control.interrupt(seq)).is_some()
    }

    /// Ends the control connections for which `which` returns true.
    fn kill(&self, which: impl Fn(&Control) -> bool) {
        let picked: Vec<_> = self
            .controls
            .lock()
            .unwrap()
            .values()
            .filter(|c| which(c))
            .cloned()
            .collect();
        for control in picked {
            control.kill();
        }
    }

    fn died(&self, pid: i32) {
        let client = {
            let mut clients = self.clients.lock().unwrap();
            match clients.get(&pid) {
                Some(client) if client.dead() => clients.remove(&pid),
                _ => None,
            }
        };
        if let Some(client) = client {
            self.unwatch(&client.pidfd);
            self.kill(|control| Arc::ptr_eq(&control.client, &client));
        }
        self.changed();
    }

    fn accept(self: &Arc<Shared>) {
        while let Some((socket, pid, uid)) = sock::accept(&self.listener) {
            self.workers.fetch_add(1, Ordering::AcqRel);
            let shared = self.clone();
            let worker = thread::Builder::new()
                .name(format!("client {pid}"))
                .spawn(move || {
                    connection::serve(&shared, socket, pid, uid);
                    shared.workers.fetch_sub(1, Ordering::AcqRel);
                    shared.changed();
                });
            if worker.is_err() {
                self.workers.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }

    fn poll(self: &Arc<Shared>) {
        let mut events = Vec::with_capacity(64);
        loop {
            events.clear();
            // A call that a signal interrupted returns no event.
            let _ = epoll::wait(&self.epoll, spare_capacity(&mut events), None);
            for event in &events {
                let what = event.data.u64();
                let number = what & !KIND;
                match what & KIND {
                    LISTENER => self.accept(),
                    STOP => return,
                    FILE => self.close(number),
                    CONTROL => {
                        let control = self.controls.lock().unwrap().get(&number).cloned();
                        if let Some(control) = control {
                            self.unwatch(&control.socket);
                            control.kill();
                        }
                    }
                    CLIENT => self.died(number as i32),
                    _ => {}
                }
            }
        }
    }
}

fn notify(shared: &Weak<Shared>, notices: &Receiver<Notice>) {
    while let Ok(Notice::Look(key)) = notices.recv() {
        let Some(open) = shared.upgrade().and_then(|shared| shared.file(key)) else {
            continue;
        };
        open.look();
    }
}

/// The clients that still used the board when it was taken down.
#[derive(Debug)]
pub(crate) struct Leftover {
    pub(crate) pid: i32,
    pub(crate) comm: String,
    pub(crate) files: usize,
}

/// A running server.
pub(crate) struct Server {
    shared: Arc<Shared>,
    poller: JoinHandle<()>,
    closer: JoinHandle<()>,
    notifier: JoinHandle<()>,
}

impl Server {
    /// Starts the server.
    ///
    /// # Errors
    ///
    /// The error of a socket or thread.
    pub(crate) fn start(
        world: &World,
        device: &Device,
        driver: &str,
        trace: Option<Arc<TraceFile>>,
    ) -> io::Result<Server> {
        static SERVERS: AtomicU64 = AtomicU64::new(1);
        let nth = SERVERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("drmboard-{}-{nth}", std::process::id());
        let listener = sock::listen(&name)?;
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let stop = eventfd(0, EventfdFlags::CLOEXEC)?;
        let (to_closer, closing) = channel();
        let (to_notifier, notices) = channel();
        let shared = Arc::new(Shared {
            world: world.clone(),
            device: device.clone(),
            driver: driver.to_owned(),
            name,
            trace,
            listener,
            epoll,
            stop,
            next: AtomicU64::new(1),
            files: Mutex::default(),
            controls: Mutex::default(),
            clients: Mutex::default(),
            seen: Mutex::default(),
            workers: AtomicUsize::new(0),
            changed: Default::default(),
            closer: Mutex::new(to_closer),
            notifier: Mutex::new(to_notifier),
        });
        shared.watch(&shared.listener, LISTENER, EventFlags::IN)?;
        shared.watch(&shared.stop, STOP, EventFlags::IN)?;
        let for_poller = shared.clone();
        let for_notifier = Arc::downgrade(&shared);
        let spawn = |name: &str, f: Box<dyn FnOnce() + Send>| {
            thread::Builder::new().name(name.into()).spawn(f)
        };
        Ok(Server {
            poller: spawn("poller", Box::new(move || for_poller.poll()))?,
            closer: spawn("closer", Box::new(move || close_files(&closing)))?,
            notifier: spawn(
                "notifier",
                Box::new(move || notify(&for_notifier, &notices)),
            )?,
            shared,
        })
    }

    /// The abstract name to which clients connect.
    pub(crate) fn name(&self) -> &str {
        &self.shared.name
    }

    /// Waits up to `grace` for clients that still use the board, then cuts them off. On return all
    /// files are closed and all threads have ended. Returns the clients in order of their first
    /// call, and those that were cut off.
    pub(crate) fn finish(self, grace: Duration) -> (Vec<Arc<Client>>, Vec<Leftover>) {
        let shared = self.shared;
        let idle = || {
            shared.files.lock().unwrap().is_empty() && shared.controls.lock().unwrap().is_empty()
        };
        shared.wait(Instant::now() + grace, idle);
        let stopped = rustix::io::write(&shared.stop, &1u64.to_ne_bytes());
        assert_eq!(stopped, Ok(8), "an eventfd takes one event");
        self.poller.join().expect("poller");

        let mut left: Vec<Leftover> = Vec::new();
        let mut note =
            |client: &Client, files: usize| match left.iter_mut().find(|l| l.pid == client.pid) {
                Some(entry) => entry.files += files,
                None => left.push(Leftover {
                    pid: client.pid,
                    comm: client.comm(),
                    files,
                }),
            };
        let files: Vec<_> = shared
            .files
            .lock()
            .unwrap()
            .drain()
            .map(|(_, open)| open)
            .collect();
        for open in &files {
            note(&open.owner, 1);
            open.owner.usage.lock().unwrap().leaked += 1;
        }
        for control in shared.controls.lock().unwrap().values() {
            note(&control.client, 0);
        }
        // Workers of connections that have not announced themselves are in no list yet: repeats
        // until all have ended.
        while shared.workers.load(Ordering::Acquire) > 0 {
            shared.kill(|_| true);
            let soon = Instant::now() + Duration::from_millis(50);
            shared.wait(soon, || shared.workers.load(Ordering::Acquire) == 0);
        }
        for open in files {
            let _ = shared.closer.lock().unwrap().send(open);
        }
        // Both threads end when no sender is left.
        let _ = shared.notifier.lock().unwrap().send(Notice::Stop);
        *shared.closer.lock().unwrap() = channel().0;
        self.notifier.join().expect("notifier");
        self.closer.join().expect("closer");
        let seen = std::mem::take(&mut *shared.seen.lock().unwrap());
        (seen, left)
    }
}
