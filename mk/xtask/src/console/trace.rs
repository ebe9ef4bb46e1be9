// SPDX-License-Identifier: BSD-2-Clause
//! Traces of a GPU's registers (docs/trace.md), about its power.

/// What a line of a trace says that matters here.
enum Event {
    Mark(u32),
    /// A register of a GPU was read or written.
    Access,
    /// A GPU can work from now on, or cannot.
    Power(bool),
}

fn event(line: &str) -> Option<Event> {
    let mut words = line.split(' ').skip(1);
    match (words.next()?, words.next()?) {
        ("mark", n) => n.parse().ok().map(Event::Mark),
        ("mmio", device) if device.starts_with("gpu@") => Some(Event::Access),
        ("power", device) if device.starts_with("gpu@") => Some(Event::Power(words.next()? != "0")),
        _ => None,
    }
}

/// No register may be touched from a mark `from` to the next mark `to`, and there must be such
/// marks; otherwise what was found.
pub(super) fn quiet(trace: &str, from: u32, to: u32) -> Result<(), String> {
    let (mut times, mut touched, mut is_inside) = (0_usize, 0_usize, false);
    for event in trace.lines().filter_map(event) {
        match event {
            Event::Mark(n) if n == from => {
                is_inside = true;
                times += 1;
            }
            Event::Mark(n) if n == to => is_inside = false,
            Event::Access if is_inside => touched += 1,
            _ => {}
        }
    }
    match times > 0 && touched == 0 {
        true => Ok(()),
        false => Err(format!("{times} times suspended, {touched} accesses")),
    }
}

/// The GPU has to work after the mark `from`, be off at the end, and not be touched since.
pub(super) fn shut_down(trace: &str, from: u32) -> Result<(), String> {
    let (mut touched, mut late) = (0_usize, 0_usize);
    let (mut is_inside, mut off) = (false, false);
    for event in trace.lines().filter_map(event) {
        match event {
            Event::Mark(n) if n == from => is_inside = true,
            Event::Access if is_inside => {
                touched += 1;
                late += usize::from(off);
            }
            Event::Power(on) if is_inside => {
                off = !on;
                late = 0;
            }
            _ => {}
        }
    }
    match off && touched > 0 && late == 0 {
        true => Ok(()),
        false => Err(format!("{touched} accesses, {late} when off; off: {off}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: &str = "5 mmio gpu@c000000 r 0x0000 0x00000000\n";
    const OFF: &str = "5 power gpu@c000000 0\n";
    const ON: &str = "5 power gpu@c000000 1\n";

    #[test]
    fn nothing_is_touched_between_marks() {
        let judge = |parts: &[&str]| quiet(&parts.concat(), 1001, 1002);
        let (from, to) = ("1 mark 1001\n", "2 mark 1002\n");
        let other = "3 mmio gpc@ce00000 r 0x0000 0x00000000\n";
        assert_eq!(judge(&[READ, from, other, to, READ, from, to]), Ok(()));
        assert_eq!(
            judge(&[from, to, from, READ, to]),
            Err("2 times suspended, 1 accesses".to_owned())
        );
        assert_eq!(
            judge(&[READ]),
            Err("0 times suspended, 0 accesses".to_owned())
        );
        assert!(judge(&[from, READ]).is_err());
    }

    #[test]
    fn the_gpu_works_and_is_off_at_the_end() {
        let judge = |parts: &[&str]| shut_down(&parts.concat(), 1003);
        let mark = "1 mark 1003\n";
        assert_eq!(judge(&[OFF, mark, ON, READ, OFF]), Ok(()));
        assert_eq!(judge(&[mark, OFF, ON, READ, OFF]), Ok(()));
        for wrong in [
            &[mark, READ][..],
            &[mark, OFF],
            &[READ, OFF],
            &[mark, ON, READ, OFF, READ],
            &[READ, mark, OFF],
        ] {
            assert!(judge(wrong).is_err(), "{wrong:?}");
        }
    }
}
