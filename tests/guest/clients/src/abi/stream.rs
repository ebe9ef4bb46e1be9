// SPDX-License-Identifier: BSD-2-Clause
//! One call after another: how it is made, spoilt, and written down.
//!
//! A line of the transcript is `EPOCH.CALL FILE NAME how {arguments} = ERRNO {what the kernel
//! changed}`.

use super::memory::{errno, ROOM};
use super::spec::{Class, Spec, R, W};
use super::state::Stream;
use std::fmt::Write as _;

/// A structure under construction. What it points to lives as long as it does.
#[derive(Debug)]
pub struct Arg {
    /// The ioctl.
    pub spec: &'static Spec,
    /// The structure.
    pub bytes: Vec<u8>,
    text: Vec<String>,
    regions: Vec<(String, Vec<u8>, Vec<u8>)>,
    /// May the call be spoilt?
    pub spoil: bool,
}

impl Arg {
    /// All zero.
    pub fn new(spec: &'static Spec) -> Arg {
        Arg {
            spec,
            bytes: vec![0; spec.size()],
            text: vec![String::new(); spec.classes.len()],
            regions: Vec::new(),
            spoil: true,
        }
    }

    /// A field, and how it is written down.
    pub fn put(mut self, name: &str, (value, text): (u64, String)) -> Arg {
        let (i, at) = self.spec.find(name);
        let len = at.len().min(8);
        self.bytes[at.start..at.start + len].copy_from_slice(&value.to_ne_bytes()[..len]);
        self.text[i] = text;
        self
    }

    /// A field with a number that is written down as it is.
    pub fn num(self, name: &str, value: u64) -> Arg {
        let signed = value as i64;
        let text = if (-4096..0).contains(&signed) {
            format!("{signed}")
        } else {
            format!("{value:#x}")
        };
        self.put(name, (value, text))
    }

    /// A field with the bytes of a text.
    pub fn text(mut self, name: &str, text: &str) -> Arg {
        let (i, at) = self.spec.find(name);
        let len = text.len().min(at.len());
        self.bytes[at.start..at.start + len].copy_from_slice(&text.as_bytes()[..len]);
        self.text[i] = format!("{text:?}");
        self
    }

    /// A field that points to bytes.
    pub fn region(mut self, name: &str, bytes: Vec<u8>, text: String) -> Arg {
        // An empty vector has no memory of its own; the address shall be good.
        let mut bytes = bytes;
        bytes.reserve(8);
        let at = bytes.as_ptr() as u64;
        self.regions
            .push((name.to_string(), bytes.clone(), Vec::new()));
        if let Some(region) = self.regions.last_mut() {
            region.2 = std::mem::replace(&mut region.1, bytes);
        }
        self.put(name, (at, text))
    }

    /// A field that points to numbers of 32 bits.
    pub fn array(self, name: &str, items: &[(u64, String)]) -> Arg {
        let bytes = items
            .iter()
            .flat_map(|(v, _)| (*v as u32).to_ne_bytes())
            .collect();
        let names: Vec<_> = items.iter().map(|(_, text)| text.as_str()).collect();
        self.region(name, bytes, format!("[{}]", names.join(" ")))
    }

    /// Never with a spoilt request code or address.
    pub fn whole(mut self) -> Arg {
        self.spoil = false;
        self
    }
}

/// What a call gave.
#[derive(Debug)]
pub struct Done {
    /// 0, or the errno.
    pub error: i32,
    spec: &'static Spec,
    after: Vec<u8>,
    /// Bytes that the kernel was to write back.
    reported: usize,
    /// The request code or the address was not the right one.
    pub spoilt: bool,
    /// What the arguments pointed to, afterwards.
    pub regions: Vec<Vec<u8>>,
}

impl Done {
    /// A field, if the call succeeded and the kernel wrote it.
    pub fn get(&self, name: &str) -> Option<u64> {
        let (_, at) = self.spec.find(name);
        (self.error == 0 && at.end <= self.reported).then(|| number(&self.after[at]))
    }
}

fn number(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    let len = bytes.len().min(8);
    word[..len].copy_from_slice(&bytes[..len]);
    u64::from_ne_bytes(word)
}

/// Text without the zeroes after it.
pub fn lossy(bytes: &[u8]) -> String {
    let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
    format!("{:?}", String::from_utf8_lossy(&bytes[..end]))
}

/// Calls that create nothing.
const HARMLESS: &[&str] = &[
    "VERSION",
    "GET_UNIQUE",
    "GET_CLIENT",
    "GET_CAP",
    "SET_CLIENT_CAP",
    "GET_PARAM",
    "WAIT_BO",
    "GET_BO_OFFSET",
    "SYNCOBJ_WAIT",
    "GEM_WAIT",
    "WAIT_FENCE",
    "PM_QUERY_DOM",
    "PM_QUERY_SIG",
];

/// How a call is spoilt.
struct How {
    code: u32,
    size: usize,
    address: Option<usize>,
    tail: u8,
    text: String,
}

impl Stream {
    fn how(&mut self, arg: &Arg) -> How {
        let spec = arg.spec;
        let size = spec.size();
        let mut how = How {
            code: spec.code,
            size,
            address: None,
            tail: 0,
            text: String::new(),
        };
        let dice = if arg.spoil { self.rng.below(100) } else { 100 };
        match dice {
            0..4 => {
                how.size = self.rng.pick(&[
                    0,
                    1,
                    4,
                    8,
                    size.saturating_sub(4),
                    size.saturating_sub(8),
                    size / 2,
                ]);
                how.size = how.size.min(size);
            }
            4..7 => how.size = size + self.rng.pick(&[1, 4, 8, 16, 64, 4096]),
            // Only where the answer changes nothing: kernels may differ in it.
            7..9 if HARMLESS.contains(&spec.name) => {
                how.size = size + self.rng.pick(&[4, 8, 16, 300]);
                how.tail = 0xa5;
            }
            9..11 => how.code = how.code & 0x3fff_ffff | (self.rng.below(4) as u32) << 30,
            11..14 => how.address = Some(self.bad_address(how.code, how.size, &mut how.text)),
            14 => how.code ^= 0x2000,
            _ => {}
        }
        how.code = how.code & !(0x3fff << 16) | (how.size as u32) << 16;
        if how.code != spec.code {
            let _ = write!(
                how.text,
                "<code {:#x}{}>",
                how.code,
                if how.tail != 0 { " tail" } else { "" }
            );
        }
        how
    }

    fn bad_address(&mut self, code: u32, size: usize, text: &mut String) -> usize {
        let (address, name) = match self.rng.below(6) {
            0 => (0, "null"),
            1 => (0x1000, "low"),
            2 => (self.arena.guard(), "guard"),
            3 => (self.read_only.tail(size), "readonly"),
            // An address that recvmsg(2) refuses before it takes the answer, drmboard's shim does
            // not survive.
            4 if code >> 30 & W != 0 => (0xffff_8000_0000_0000, "kernel"),
            _ => (self.arena.guard() - size / 2, "half"),
        };
        let _ = write!(text, "<at {name}>");
        address
    }

    /// Makes the call on a file of the stream.
    pub fn call(&mut self, f: usize, arg: Arg) -> Done {
        let fd = self.files[f].fd;
        self.call_fd(fd, f, &format!("f{f}"), arg)
    }

    /// Makes the call on any descriptor; names are those of file `f`.
    pub fn call_fd(&mut self, fd: i32, f: usize, on: &str, arg: Arg) -> Done {
        let how = self.how(&arg);
        let mut before = arg.bytes.clone();
        before.resize(how.size, how.tail);
        let address = how.address.unwrap_or_else(|| self.arena.put(&before));
        if how.size == ROOM {
            panic!("a structure that fills the arena");
        }
        let (code, thread) = (how.code, self.rng.percent(3));
        if std::env::var_os("ABI_CALLS_FOLLOW").is_some() {
            // For a kernel that crashes: the last of these lines is the call that it did not
            // survive.
            eprintln!(
                "{}.{} {on} {}{} {{{}}}",
                self.tag,
                self.seq,
                arg.spec.name,
                how.text,
                self.input(&arg)
            );
        }
        // SAFETY: the kernel checks the address; what it may write to belongs to the arena and the
        // regions.
        let ioctl = move || match unsafe { libc::ioctl(fd, code as _, address) } {
            0.. => 0,
            _ => errno(),
        };
        let error = if thread {
            std::thread::scope(|scope| scope.spawn(ioctl).join().unwrap_or(-1))
        } else {
            ioctl()
        };
        let after = if how.address.is_some() {
            before.clone()
        } else {
            self.arena.take(how.size)
        };
        let writes = code >> 30 & arg.spec.code >> 30 & R != 0 && how.address.is_none();
        let reported = if writes { how.size } else { 0 };
        if reported < arg.spec.size()
            && arg.spec.code >> 30 & R != 0
            && (error == 0 || error == libc::EFAULT)
        {
            // The kernel may have made an object that is not recorded.
            self.files[f].murky = true;
        }
        let input = self.input(&arg);
        let output = self.output(f, &arg, &before, &after, error == 0);
        let name = arg.spec.name;
        let thread = if thread { " thread" } else { "" };
        self.line(&format!(
            "{on} {name}{}{thread} {{{input}}} = {error} {{{output}}}",
            how.text
        ));
        Done {
            error,
            spec: arg.spec,
            after,
            reported,
            spoilt: !how.text.is_empty(),
            regions: arg.regions.into_iter().map(|(_, now, _)| now).collect(),
        }
    }

    fn input(&self, arg: &Arg) -> String {
        let mut all = Vec::new();
        for (field, text) in arg.spec.fields().zip(&arg.text) {
            if !text.is_empty() {
                all.push(format!("{}={text}", field.name));
            }
        }
        all.join(" ")
    }

    fn output(&mut self, f: usize, arg: &Arg, before: &[u8], after: &[u8], done: bool) -> String {
        let mut all = Vec::new();
        let mut start = 0;
        for field in arg.spec.fields() {
            let at = field.at;
            start = at.end;
            let (Some(old), Some(new)) = (before.get(at.clone()), after.get(at.clone())) else {
                // Cut off: the bytes of it that are there are those of a number that may be the
                // kernel's own.
                if field.class == Class::Num && before.get(at.start..) != after.get(at.start..) {
                    all.push(format!("{}=cut:{:x?}", field.name, after.get(at.start..)));
                }
                start = before.len();
                break;
            };
            if old != new {
                all.push(format!(
                    "{}={}",
                    field.name,
                    self.render(field.class, f, new, done)
                ));
            }
        }
        if before.get(start..) != after.get(start..) {
            all.push("tail=changed".to_string());
        }
        for (name, now, was) in &arg.regions {
            if now != was && name != "sync_fence_info" {
                let text = if now.len() > 96 {
                    format!("{} bytes changed", now.len())
                } else {
                    lossy(now)
                };
                all.push(format!("*{name}={text}"));
            }
        }
        all.join(" ")
    }

    fn render(&mut self, class: Class, f: usize, bytes: &[u8], done: bool) -> String {
        let value = number(bytes);
        match class {
            Class::Text => lossy(bytes),
            Class::Num | Class::Ptr => format!("{value:#x}"),
            Class::Int if bytes.len() == 4 => format!("{}", value as i32),
            Class::Int => format!("{}", value as i64),
            Class::Fd if (value as i32) < 0 => format!("{}", value as i32),
            Class::Pid if value == u64::from(std::process::id()) => "self".to_string(),
            // A fence's number may be 0.
            _ if value == 0 && class != Class::Fence => "0".to_string(),
            _ if done => self.names.name(class, f, value, self.seq),
            _ => match self.names.get(class, f, value) {
                Some(name) => name.to_string(),
                None => format!("{value:#x}"),
            },
        }
    }

    /// Writes one line.
    pub fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{}.{} {text}", self.tag, self.seq);
    }

    /// Makes a call that is not written down, for what the next lines rest on. The errno when it
    /// fails.
    pub fn silently(
        &mut self,
        f: usize,
        spec: &'static Spec,
        fields: &[(&str, u64)],
    ) -> Result<Vec<u8>, i32> {
        let mut arg = Arg::new(spec);
        for (name, value) in fields {
            arg = arg.put(name, (*value, String::new()));
        }
        let fd = self.files[f].fd;
        // SAFETY: the structure is as long as the code says.
        match unsafe { libc::ioctl(fd, spec.code as _, arg.bytes.as_mut_ptr()) } {
            0.. => Ok(arg.bytes),
            _ => Err(errno()),
        }
    }
}

/// A field of what [`Stream::silently`] gave.
pub fn field(spec: &Spec, bytes: &[u8], name: &str) -> u64 {
    number(&bytes[spec.find(name).1])
}
