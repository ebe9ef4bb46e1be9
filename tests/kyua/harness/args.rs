// SPDX-License-Identifier: BSD-2-Clause
//! The command line of an ATF test program: `-l`, or `[-r FILE] [-s DIR] [-v NAME=VALUE]...
//! CASE[:PART]`.
//!
//! kyua glues a value to its option letter (`-vboard=rk3399`); by hand one types them apart. Both
//! are taken.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    List,
    Run(Run),
}

/// One case, or its clean-up.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) case: String,
    pub(crate) part: Part,
    /// Where the result goes; standard output when absent.
    pub(crate) result: Option<PathBuf>,
    pub(crate) srcdir: Option<PathBuf>,
    pub(crate) config: BTreeMap<String, String>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Part {
    #[default]
    Body,
    Cleanup,
}

/// Reads the arguments after the program's name.
///
/// # Errors
/// A message for the user when they do not fit.
pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut args = args.into_iter();
    let mut run = Run::default();
    let mut list = false;
    let mut names = Vec::new();
    while let Some(arg) = args.next() {
        let mut chars = arg.chars();
        if chars.next() != Some('-') {
            names.push(arg);
            continue;
        }
        let letter = chars.next().ok_or("a lone '-' is no option")?;
        let rest: String = chars.collect();
        if letter == 'l' && rest.is_empty() {
            list = true;
            continue;
        }
        if !matches!(letter, 'r' | 's' | 'v') {
            return Err(format!("unknown option {arg}"));
        }
        let value = match rest.is_empty() {
            false => rest,
            true => args.next().ok_or(format!("-{letter} needs a value"))?,
        };
        match letter {
            'r' => run.result = Some(value.into()),
            's' => run.srcdir = Some(value.into()),
            _ => {
                let (name, value) = value
                    .split_once('=')
                    .ok_or(format!("-v{value}: expected NAME=VALUE"))?;
                run.config.insert(name.to_string(), value.to_string());
            }
        }
    }
    match (list, names.as_slice()) {
        (true, []) => Ok(Command::List),
        (false, [name]) => {
            let (case, part) = name.split_once(':').unwrap_or((name, "body"));
            run.case = case.to_string();
            run.part = match part {
                "body" => Part::Body,
                "cleanup" => Part::Cleanup,
                other => return Err(format!("no such part of a case: {other}")),
            };
            Ok(Command::Run(run))
        }
        _ => Err("expected -l or the name of one case".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn glued_and_separate_values_are_the_same() {
        let glued = words("-vboard=rk3399 -va=b=c -r/tmp/out -s/src name").unwrap();
        assert_eq!(
            glued,
            words("-v board=rk3399 -v a=b=c -r /tmp/out -s /src name").unwrap()
        );
        let Command::Run(run) = glued else {
            panic!("a run was asked for")
        };
        assert_eq!(run.case, "name");
        assert_eq!(run.part, Part::Body);
        assert_eq!(run.result, Some("/tmp/out".into()));
        assert_eq!(run.srcdir, Some("/src".into()));
        assert_eq!(run.config["a"], "b=c");
    }

    #[test]
    fn a_part_may_be_named() {
        let Command::Run(run) = words("x:cleanup").unwrap() else {
            panic!("a run was asked for")
        };
        assert_eq!((run.case.as_str(), run.part), ("x", Part::Cleanup));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for line in [
            "",
            "-l name",
            "a b",
            "-q",
            "-v novalue x",
            "-r",
            "x:other",
            "-",
            "-lx",
        ] {
            assert!(words(line).is_err(), "{line:?} was taken");
        }
        assert_eq!(words("-l"), Ok(Command::List));
    }
}
