// SPDX-License-Identifier: BSD-2-Clause
//! Options of a command line, one after the other, with their mistakes as sentences.

use lexopt::{Arg, Parser};
use std::ffi::OsString;

pub(crate) struct Args {
    parser: Parser,
    usage: &'static str,
    /// The option at hand, as it was given.
    name: String,
}

impl Args {
    /// `usage` is the end of each sentence.
    pub(crate) fn new(args: impl Iterator<Item = OsString>, usage: &'static str) -> Self {
        Self {
            parser: Parser::from_args(args),
            usage,
            name: String::new(),
        }
    }

    /// The next option, with its dashes; `None` after the last one.
    pub(crate) fn next(&mut self) -> Result<Option<String>, String> {
        self.name = match self.parser.next() {
            Ok(Some(Arg::Long(name))) => format!("--{name}"),
            Ok(Some(Arg::Short(letter))) => format!("-{letter}"),
            Ok(Some(Arg::Value(value))) => {
                self.name = value.to_string_lossy().into_owned();
                return Err(self.unknown());
            }
            Ok(None) => return Ok(None),
            Err(error) => return Err(format!("{error}; {}", self.usage)),
        };
        Ok(Some(self.name.clone()))
    }

    /// What follows `--`, if that is next.
    pub(crate) fn after_dashes(&mut self) -> Option<Vec<OsString>> {
        let mut rest = self.parser.try_raw_args()?;
        rest.next_if(|arg| arg == "--")?;
        Some(rest.collect())
    }

    pub(crate) fn unknown(&self) -> String {
        format!("unknown argument {}; {}", self.name, self.usage)
    }

    /// The value of the option.
    pub(crate) fn value(&mut self) -> Result<OsString, String> {
        let value = self.parser.value();
        value.map_err(|_| format!("{} needs a value; {}", self.name, self.usage))
    }

    pub(crate) fn text(&mut self) -> Result<String, String> {
        let value = self.value()?.into_string();
        value.map_err(|_| format!("{}: not UTF-8", self.name))
    }

    pub(crate) fn number(&mut self) -> Result<u64, String> {
        let number = self.text()?.parse();
        number.map_err(|_| format!("{} takes a number", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn args(line: &str) -> Args {
        Args::new(line.split_whitespace().map(OsString::from), "usage: x")
    }

    #[test]
    fn an_option_has_its_value_in_either_form() {
        let mut args = args("--board rk3399 --ram=512 -- --stats");
        assert_eq!(args.next().unwrap().as_deref(), Some("--board"));
        assert_eq!(args.text().unwrap(), "rk3399");
        assert!(args.after_dashes().is_none());
        assert_eq!(args.next().unwrap().as_deref(), Some("--ram"));
        assert_eq!(args.number(), Ok(512));
        assert_eq!(args.after_dashes().unwrap(), ["--stats"]);
        assert_eq!(args.next(), Ok(None));
    }

    #[test]
    fn mistakes_are_sentences() {
        let mut one = args("--ram x");
        one.next().unwrap();
        assert_eq!(one.number(), Err("--ram takes a number".to_owned()));
        let mut none = args("--board");
        none.next().unwrap();
        assert_eq!(
            none.text(),
            Err("--board needs a value; usage: x".to_owned())
        );
        assert_eq!(
            args("word").next(),
            Err("unknown argument word; usage: x".to_owned())
        );
        let mut unused = args("--stats=3");
        unused.next().unwrap();
        assert!(unused.next().unwrap_err().ends_with("; usage: x"));
        let bytes = ["--board".into(), OsString::from_vec(vec![0xff])];
        let mut bytes = Args::new(bytes.into_iter(), "usage: x");
        bytes.next().unwrap();
        assert_eq!(bytes.text(), Err("--board: not UTF-8".to_owned()));
    }
}
